"""render → plan → approve → apply, on a small phase."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from meshflow import errors
from meshflow.hooks import store
from meshflow.operators.apply import Apply
from meshflow.operators.permit import Permit
from meshflow.operators.plan import PlanTask
from meshflow.operators.record import Record
from meshflow.operators.render import Render
from tests.operators.harness import Run, World, deployment
from tests.operators.phase import applied, apply, approved, plan, planned, render

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "teapots.test.meshflow.io"},
    "spec": {
        "group": "test.meshflow.io",
        "scope": "Namespaced",
        "names": {"plural": "teapots", "singular": "teapot", "kind": "Teapot"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {}}}}
                },
            }
        ],
    },
}


@contextmanager
def fault(world: World, kind: str, **options: Any) -> Iterator[None]:
    """Something in the cluster goes wrong for a while."""
    number = world.cluster.control("POST", "faults", {"kind": kind, **options})["id"]
    try:
        yield
    finally:
        world.cluster.control("DELETE", "faults", {"id": number})


@contextmanager
def pods(world: World, **changes: Any) -> Iterator[None]:
    """The world's pods behave differently for a while."""
    with fault(world, "pods", namespace=world.namespace, changes=changes):
        yield


def test_a_plan_says_what_would_be_written_and_writes_nothing(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red")])
    before = world.writes()
    result = planned(Run()).xcoms["plan", "return_value"]
    assert (result["changed"], result["summary"]) == (True, "istio: 1 create")
    assert f"ConfigMap/{world.namespace}/a" in result["markdown"]
    assert f"ConfigMap/{world.namespace}/a" in store.plan_text("test-run", "istio").read_text()
    assert (world.writes(), world.live("configmaps", "a")) == (before, None)


def test_what_was_planned_is_written_once_and_unchanged_afterwards(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red"), world.config("b")])
    first = applied(Run("first"))
    assert first["counts"] == {"create": 2}
    before = world.writes(), world.version("configmaps", "a")
    second = applied(Run("second"))
    assert (second["counts"], second["writes"]) == ({"unchanged": 2}, {})
    assert (world.writes(), world.version("configmaps", "a")) == before


def test_a_definition_and_an_object_of_it_go_through_in_one_apply(world: World) -> None:
    teapot = {
        "apiVersion": "test.meshflow.io/v1",
        "kind": "Teapot",
        "metadata": {"name": "brown", "namespace": world.namespace},
        "spec": {},
    }
    world.phase("istio", [teapot, CRD])
    assert applied(Run())["counts"] == {"create": 2}
    assert world.live("test.meshflow.io/v1/teapots", "brown")
    world.cluster.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD['metadata']['name']}")


def test_a_slow_stage_is_waited_for_outside_the_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshflow.operators.apply.GRACE", 0.0)
    world.phase("istio", [deployment("web", world.namespace)])
    run = planned(Run())
    with pods(world, never_ready=True), pytest.raises(TaskDeferred):
        run.execute(apply(), wait=False)
    (deferral,) = run.deferred
    assert (deferral.method_name, deferral.timeout.total_seconds()) == ("resume", 660)
    result = run.execute(apply(), after=deferral)
    assert result["counts"] == {"create": 1}
    live = world.live("apps/v1/deployments", "web")
    assert live
    assert live["status"]["availableReplicas"] == 1


def test_what_cannot_become_healthy_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshflow.operators.apply.GRACE", 0.0)
    world.phase("istio", [deployment("web", world.namespace)], timeout=0.1)
    run, said = Run(), rf"did not become healthy in time.*Deployment/{world.namespace}/web"
    with pods(world, never_ready=True), pytest.raises(errors.WaitExpired, match=said):
        applied(run)
    assert "clear this task to wait again" in run.failure("apply")


def test_what_its_pods_complain_about_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshflow.operators.apply.GRACE", 0.0)
    world.phase("istio", [deployment("web", world.namespace)], timeout=0.1)
    with pods(world, pull_error="no such tag"):
        planned(Run("first")).execute(apply(wait=False))
        world.until(lambda: "ImagePull" in str(world.pods("web")))
        with pytest.raises(errors.WaitExpired, match=r"web: pod web-\S+: container \S+: \w*Image\w*"):
            applied(Run("second"))


def test_without_waiting_the_last_stage_is_left_to_a_later_task(world: World) -> None:
    world.phase("istio", [deployment("web", world.namespace)])
    run = planned(Run())
    run.execute(apply(wait=False))
    assert not run.deferred


def test_each_write_is_told_once_while_it_is_made(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    world.phase("istio", [world.config("a")])
    applied(Run())
    assert caplog.messages.count(f"ConfigMap/{world.namespace}/a create") == 1  # by the engine
    assert f"] ConfigMap/{world.namespace}/a" not in capsys.readouterr().out  # and not again by the task


def test_a_repeated_task_goes_on_where_the_cluster_is(world: World) -> None:
    world.phase("istio", [world.config("a"), world.config("b")])
    run = planned(Run())
    world.cluster.create(f"/api/v1/namespaces/{world.namespace}/configmaps", world.config("a"))
    result = run.execute(apply())
    assert world.live("configmaps", "b")
    assert result["objects"] == 2


def test_a_field_of_another_manager_stops_the_apply_before_its_first_write(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red"), world.config("b")])
    applied(Run("first"))
    path = f"/api/v1/namespaces/{world.namespace}/configmaps/a"
    world.cluster.merge(path, {"data": {"colour": "green"}}, manager="kubectl-edit")
    world.phase("istio", [world.config("a", colour="blue"), world.config("c")])
    run = planned(Run("second"))
    with pytest.raises(errors.Conflict, match="kubectl-edit"):
        run.execute(apply())
    assert world.live("configmaps", "c") is None
    assert "kubectl-edit" in run.failure("apply")


def test_takeover_in_mesh_yaml_takes_the_field_back(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red")])
    applied(Run("first"))
    path = f"/api/v1/namespaces/{world.namespace}/configmaps/a"
    world.cluster.merge(path, {"data": {"colour": "green"}}, manager="kubectl-edit")
    world.phase("istio", [world.config("a", colour="red")], takeover=True)
    applied(Run("second"))
    live = world.live("configmaps", "a")
    assert live
    assert live["data"] == {"colour": "red"}


def test_a_bundle_that_this_worker_does_not_see_is_rendered_again(world: World) -> None:
    world.phase("istio", [world.config("a")])
    run = planned(Run())
    store.bundle(run.xcoms["render", "return_value"]["istio"]["digest"]).unlink()
    assert run.execute(apply())["counts"] == {"create": 1}


def test_sources_that_changed_in_between_are_not_applied(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red")])
    run = planned(Run())
    store.bundle(run.xcoms["render", "return_value"]["istio"]["digest"]).unlink()
    world.phase("istio", [world.config("a", colour="blue")])
    with pytest.raises(errors.Stale, match="The sources of istio changed since the run rendered them"):
        run.execute(apply())
    assert world.live("configmaps", "a") is None


def test_rendering_twice_gives_the_same_digest(world: World) -> None:
    world.phase("istio", [world.config("b"), world.config("a")])
    digests = {Run().execute(render())["istio"]["digest"] for _ in range(2)}
    assert len(digests) == 1


def test_a_malformed_manifest_ends_the_render_with_file_and_line(world: World) -> None:
    world.phase("istio", [world.config("a")])
    world.write("include/manifests/istio/all.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n")
    run = Run()
    with pytest.raises(errors.InvalidInput, match=r"istio/all\.yaml:\d+"):
        run.execute(render())
    assert run.failure("render").count("\n") == 0
    assert not list(Path(store.home()).glob("bundles/*"))


def test_an_unknown_cluster_is_one_sentence_with_the_known_ones(world: World) -> None:
    world.phase("istio", [world.config("a")])
    run = Run()
    run.execute(render())
    with pytest.raises(errors.InvalidInput, match=r"no such cluster.*Use one of default"):
        run.execute(PlanTask(task_id="plan", cluster="defautl"))


POLICY = "security.istio.io/v1/peerauthentications"


def mode(world: World, value: str, name: str = "default") -> dict[str, Any]:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"mtls": {"mode": value}},
    }


def permit() -> Permit:
    return Permit(task_id="permit", bundle="mtls@permissive", cluster="default")


def secured(world: World, *names: str) -> Run:
    """A run of the phase mtls in its final stage, planned; with the policies of these names, or one."""
    for stage, value in (("permissive", "PERMISSIVE"), ("strict", "STRICT")):
        world.phase("mtls", [mode(world, value, name) for name in names or ("default",)], stage=stage)
    run = Run()
    run.execute(Render(task_id="render", bundles=["mtls"], cluster="default"))
    run.execute(plan())
    return run


def enforced(world: World) -> str:
    live = world.live(POLICY, "default")
    return str(live["spec"]["mtls"]["mode"]) if live else ""


def test_a_mesh_without_policy_is_permissive_first_and_strict_afterwards(world: World) -> None:
    run = secured(world)
    run.execute(permit())
    assert enforced(world) == "PERMISSIVE"
    run.execute(Apply(task_id="enforce", bundle="mtls", cluster="default"))
    assert enforced(world) == "STRICT"


def test_a_strict_mesh_never_goes_back(world: World) -> None:
    run = secured(world)
    run.execute(Apply(task_id="enforce", bundle="mtls", cluster="default"))
    before = world.writes()
    assert secured(world).execute(permit())["writes"] == {}
    assert (enforced(world), world.writes()) == ("STRICT", before)


def test_a_policy_that_comes_later_does_not_open_a_strict_mesh(world: World) -> None:
    secured(world).execute(Apply(task_id="enforce", bundle="mtls", cluster="default"))
    secured(world, "default", "other").execute(permit())
    assert enforced(world) == "STRICT"


def test_what_a_run_leaves_behind_holds_no_credential(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("meshflow.operators.apply.GRACE", 0.0)
    token = world.cluster.token
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": world.namespace},
        "stringData": {"password": "hunter2-hunter2"},
    }
    world.phase("istio", [deployment("web", world.namespace), secret])
    run = planned(Run())
    with pods(world, never_ready=True), pytest.raises(TaskDeferred) as deferral:
        run.execute(apply(), wait=False)
    left = f"{run.xcoms} {deferral.value.trigger.serialize()} {deferral.value.kwargs} {caplog.text}"
    left += "".join(file.read_text() for file in store.home().glob("plans/**/*.txt"))
    assert token not in left
    assert "certificate-authority" not in left
    assert "hunter2" not in left


def test_what_an_earlier_bundle_of_the_run_brings_is_not_unknown(world: World) -> None:
    """As the policies of `mtls` in the namespaces of `gateway`: nothing of both is there when the run is planned."""
    later = f"{world.namespace}-later"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": later}}
    world.phase("gateway", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": later}}])
    world.phase("mtls", [config])
    run = Run()
    run.execute(Render(task_id="render", bundles=["gateway", "mtls"], cluster="default"))
    result = run.execute(plan())
    assert result["summary"] == "gateway: 1 create; mtls: 1 create"
    assert "its namespace is created first" in result["markdown"]


@pytest.mark.parametrize("approve", [False, True])
def test_a_stage_on_the_way_prunes_nothing_of_the_last_one(world: World, approve: bool) -> None:
    """A mesh that was STRICT and was weakened by hand keeps its policies while it is made PERMISSIVE by declaration."""
    world.phase("mtls", [mode(world, "PERMISSIVE")], stage="permissive")
    world.phase("mtls", [mode(world, "STRICT"), world.config("policy")], stage="strict")
    first, second = Run("first"), Run("second")
    for run in (first, second):
        run.execute(Render(task_id="render", bundles=["mtls"], cluster="default"))
    first.execute(plan())
    first.execute(Apply(task_id="enforce", bundle="mtls", cluster="default"))
    world.cluster.delete(f"/apis/{POLICY.rpartition('/')[0]}/namespaces/{world.namespace}/peerauthentications/default")
    second.execute(plan())
    if approve:
        approved(second)
    assert second.execute(permit())["counts"] == {"create": 1, "unchanged": 1}
    assert world.live("configmaps", "policy")
    enforce = Apply(task_id="enforce", bundle="mtls", cluster="default", steps=["permit"])
    assert second.execute(enforce)["counts"] == {"configure": 1, "unchanged": 1}


def test_an_object_that_moved_to_another_phase_is_not_deleted_on_the_way(world: World) -> None:
    world.phase("istio", [world.config("a"), world.config("b")])
    applied(Run("first"))
    uid = world.live("configmaps", "b")["metadata"]["uid"]  # type: ignore[index]
    world.phase("istio", [world.config("a")])
    world.phase("mtls", [world.config("b")])
    assert applied(Run("second"))["writes"] == {}
    assert world.live("configmaps", "b")["metadata"]["uid"] == uid  # type: ignore[index]
    world.phase("mtls", [world.config("c")])
    assert set(applied(Run("third"))["writes"].values()) == {"prune"}


def test_what_is_changed_while_a_later_stage_is_waited_for_is_mended_and_not_only_counted(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red")])
    applied(Run("first"))
    world.phase("istio", [world.config("a", colour="red"), deployment("web", world.namespace)])
    run, task = planned(Run("second")), apply()
    with pods(world, never_ready=True), pytest.raises(TaskDeferred) as deferral:
        run.execute(task, wait=False)
    world.cluster.delete(f"/api/v1/namespaces/{world.namespace}/configmaps/a")
    healthy = {"status": "healthy", "waiting": [], "broken": []}
    result = task.resume(run.context(task), healthy, **(deferral.value.kwargs or {}))
    assert world.live("configmaps", "a") is not None
    assert result["writes"] == {
        f"Deployment/{world.namespace}/web": "create",
        f"ConfigMap/{world.namespace}/a": "create",
    }


def test_what_a_failed_task_wrote_is_known_to_its_record_and_to_its_next_try(world: World) -> None:
    world.phase("istio", [world.config("a"), deployment("web", world.namespace)])
    run, task = planned(Run()), apply()
    with pods(world, never_ready=True), pytest.raises(TaskDeferred) as deferral:
        run.execute(task, wait=False)
    expired = {"status": "expired", "waiting": ["web"], "broken": []}
    with pytest.raises(errors.WaitExpired):
        task.resume(run.context(task), expired, **(deferral.value.kwargs or {}))
    written = {f"ConfigMap/{world.namespace}/a": "create", f"Deployment/{world.namespace}/web": "create"}
    assert run.xcoms["apply", "written"] == written
    record = Record(task_id="record", chain="istio", cluster="default")
    assert record._document(run.context(record))["apply"] == {"writes": written}
    assert run.execute(apply())["writes"] == written
