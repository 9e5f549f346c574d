"""Which workloads are restarted, in which batches, and which are left alone with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow.mesh import restart

Obj = dict[str, Any]
SPACE = {"metadata": {"name": "weather", "labels": {"istio-injection": "enabled"}}}


def workload(name: str, kind: str = "Deployment", *, replicas: int = 2, **spec: Any) -> Obj:
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "weather"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": name}}}, **spec},
    }


def replicas_of(name: str) -> Obj:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": f"{name}-rs", "namespace": "weather", "ownerReferences": [owner]},
    }


def budget(name: str, app: str | None = None, **spec: Any) -> Obj:
    selector = {"matchLabels": {"app": app}} if app else {}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "weather"},
        "spec": {"selector": selector, **spec},
    }


def plan_of(pod, *workloads: Obj, size: int = 2, budgets=(), canaries=(), proxy=None) -> restart.RestartPlan:
    """The plan for a namespace in which each workload has one pod with this proxy."""
    pods, sets = [], []
    for item in workloads:
        name, kind = item["metadata"]["name"], item["kind"]
        owner = ("ReplicaSet", f"{name}-rs") if kind == "Deployment" else (kind, name)
        pods.append(pod(f"{name}-pod", owner=owner, proxy=proxy))
        sets += [replicas_of(name)] if kind == "Deployment" else []
    cluster = restart.Cluster([SPACE], pods, [*workloads, *sets], budgets, canaries)
    return restart.plan(cluster, version="1.30.3", size=size)


def batches(plan: restart.RestartPlan) -> list[list[str]]:
    return [[finding.reference.name for finding in batch] for batch in plan.batches]


def test_workloads_without_proxy_are_restarted_in_batches_in_a_fixed_order(pod):
    found = plan_of(pod, *(workload(name) for name in ("c", "a", "b")))
    assert batches(found) == [["a", "b"], ["c"]]
    assert not found.reported


def test_an_old_proxy_is_a_reason_and_a_current_one_is_not(pod):
    assert batches(plan_of(pod, workload("a"), proxy="1.29.1")) == [["a"]]
    assert batches(plan_of(pod, workload("a"), proxy="1.30.3")) == []


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (workload("a", "Job"), "twice"),
        (workload("a", "StatefulSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("a", "DaemonSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("a", "StatefulSet", updateStrategy={"rollingUpdate": {"partition": 1}}), "partition 1"),
        (workload("a", paused=True), "paused"),
    ],
)
def test_what_a_restart_cannot_or_must_not_do_is_reported(pod, item, reason):
    found = plan_of(pod, item)
    assert not found.batches
    assert reason in found.reported[0].reason


def test_bare_pods_and_unknown_owners_are_reported(pod):
    cluster = restart.Cluster([SPACE], [pod("bare"), pod("odd", owner=("Thing", "x"))], [])
    reasons = [str(item) for item in restart.plan(cluster, version="").reported]
    assert "nobody would make it again" in reasons[0]
    assert "Thing" in reasons[1]


def test_of_several_owners_the_controller_is_the_workload(pod):
    listed = pod("a-pod", owner=("ReplicaSet", "a-rs"))
    other = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "x"}
    listed["metadata"]["ownerReferences"].insert(0, other)
    found = restart.plan(restart.Cluster([SPACE], [listed], [workload("a"), replicas_of("a")]), version="1.30.3")
    assert batches(found) == [["a"]]


@pytest.mark.parametrize(
    ("spec", "bound", "breaks"),
    [
        ({}, {"minAvailable": 1}, False),
        ({"strategy": {"type": "Recreate"}}, {"minAvailable": 1}, True),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}, {"minAvailable": 2}, True),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}, {"maxUnavailable": 1}, False),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}, {"minAvailable": "50%"}, False),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}, {"minAvailable": "50%"}, True),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 0}}}, {"maxUnavailable": 0}, False),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}}}, {"minAvailable": 2}, True),
    ],
)
def test_a_restart_that_would_break_the_disruption_budget_is_not_made(pod, spec, bound, breaks):
    found = plan_of(pod, workload("a", **spec), budgets=[budget("keep", "a", **bound)])
    assert bool(found.reported) is breaks
    assert bool(found.batches) is not breaks
    if breaks:
        assert "PodDisruptionBudget keep" in found.reported[0].reason


@pytest.mark.parametrize(
    ("kind", "strategy", "breaks"),
    [
        ("DaemonSet", {"maxUnavailable": "34%"}, True),
        ("DaemonSet", {"maxUnavailable": 1}, False),
        ("DaemonSet", {"maxUnavailable": 0, "maxSurge": 1}, False),
        ("StatefulSet", {}, False),
        ("StatefulSet", {"maxUnavailable": 2}, True),
    ],
)
def test_sets_are_bound_by_their_own_rules(pod, kind, strategy, breaks):
    """Percentages of sets round up, those of Deployments down."""
    item = workload("a", kind, replicas=3, updateStrategy={"rollingUpdate": strategy})
    assert bool(plan_of(pod, item, budgets=[budget("keep", "a", minAvailable=2)]).reported) is breaks


def test_a_canary_that_failed_with_its_pods_still_serving_is_not_started_anew(pod):
    canary = {
        "metadata": {"name": "a", "namespace": "weather"},
        "spec": {"targetRef": {"name": "a"}},
        "status": {"phase": "Failed", "canaryWeight": 100},
    }
    found = plan_of(pod, workload("a"), workload("a-primary"), canaries=[canary])
    assert batches(found) == [["a-primary"]]
    assert "roll it back" in found.reported[0].reason


def test_workloads_under_one_budget_never_share_a_batch(pod):
    found = plan_of(pod, workload("a"), workload("b"), workload("c"), size=3, budgets=[budget("all", minAvailable=1)])
    assert batches(found) == [["a"], ["b"], ["c"]]


def test_gateways_come_last_and_one_at_a_time(pod):
    gateways = [workload("a-gateway"), workload("b-gateway")]
    for item in gateways:
        item["spec"]["template"]["metadata"]["annotations"] = {restart.TEMPLATES: "gateway"}
    assert batches(plan_of(pod, *gateways, workload("z"))) == [["z"], ["a-gateway"], ["b-gateway"]]


def test_a_workload_in_the_middle_of_a_rollout_is_left_alone(pod):
    canary = {
        "metadata": {"name": "a", "namespace": "weather"},
        "spec": {"targetRef": {"name": "a"}},
        "status": {"phase": "Progressing"},
    }
    found = plan_of(pod, workload("a"), workload("a-primary"), workload("b"), canaries=[canary])
    assert batches(found) == [["b"]]
    assert all("Progressing" in item.reason for item in found.reported)


def test_finished_and_leaving_pods_do_not_count(pod):
    done, leaving = pod("done"), pod("leaving")
    done["status"]["phase"] = "Succeeded"
    leaving["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    assert restart.plan(restart.Cluster([SPACE], [done, leaving], []), version="1.30.3") == restart.RestartPlan()


def test_the_patch_is_what_a_rollout_restart_writes():
    annotations = restart.patch("2026-11-23T10:00:00Z")["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-11-23T10:00:00Z"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "a"}}, True),
        ({"matchLabels": {"app": "b"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_label_selectors_select_as_in_kubernetes(selector, selected):
    assert restart.selects(selector, {"app": "a"}) is selected
