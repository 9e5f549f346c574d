"""Fields that are left to others, and only then."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from meshflow.objects.reference import Reference
from meshflow.plan import ignore, paths, prepare
from meshflow.plan.ignore import Context, When
from tests.plan import api_server, examples

Obj = dict[str, Any]


def left(declared: Obj, live: Obj, *others: Obj) -> list[str]:
    context = Context.of([declared, *others])
    found = ignore.left_to_others(prepare.prepared(declared), live, context, manager="meshflow")
    return [paths.text(one.path) for one in found]


def live_of(obj: Obj) -> Obj:
    return api_server.applied(prepare.prepared(obj))


def rewritten(live: Obj, manager: str, path: str, value: Any) -> Obj:
    changed = copy.deepcopy(live)
    steps = paths.parse(path)
    parent = paths.get(changed, steps[:-1])
    parent[steps[-1]] = value
    return api_server.updated(live, changed, manager=manager)


@pytest.mark.parametrize("rule", ignore.DEFAULT, ids=lambda rule: ".".join(rule.path))
def test_every_rule_says_why(rule: ignore.Rule) -> None:
    assert len(rule.reason.split()) >= 4
    assert rule.path
    assert rule.managers


def test_nothing_is_left_of_what_only_we_wrote() -> None:
    for obj in (examples.deployment(), examples.service(), examples.webhook(failurePolicy="Ignore")):
        assert left(obj, live_of(obj), examples.autoscaler(), examples.canary()) == []


def test_replicas_are_left_to_the_autoscaler_of_the_deployment() -> None:
    live = rewritten(live_of(examples.deployment()), "kube-controller-manager", "spec.replicas", 5)
    assert left(examples.deployment(), live, examples.autoscaler()) == ["spec.replicas"]


def test_without_an_autoscaler_a_scaled_deployment_is_not_ignored() -> None:
    live = rewritten(live_of(examples.deployment()), "kubectl-scale", "spec.replicas", 5)
    assert left(examples.deployment(), live) == []


def test_replicas_of_a_canarys_target_are_left_to_flagger() -> None:
    live = rewritten(live_of(examples.deployment()), "flagger", "spec.replicas", 0)
    assert left(examples.deployment(), live, examples.canary()) == ["spec.replicas"]


def test_the_image_is_left_to_releases() -> None:
    path = 'spec.template.spec.containers[name="main"].image'
    live = rewritten(live_of(examples.deployment()), "meshflow-release", path, "web@sha256:1")
    assert left(examples.deployment(), live) == [path]


def test_an_image_that_somebody_else_set_is_not_ignored() -> None:
    path = 'spec.template.spec.containers[name="main"].image'
    live = rewritten(live_of(examples.deployment()), "kubectl-set", path, "web:hacked")
    assert left(examples.deployment(), live) == []


def test_istiods_failure_policy_stands_and_somebody_elses_does_not() -> None:
    declared = examples.webhook(failurePolicy="Ignore")
    path = 'webhooks[name="a.example.com"].failurePolicy'
    assert left(declared, rewritten(live_of(declared), "pilot-discovery", path, "Fail")) == [path]
    assert left(declared, rewritten(live_of(declared), "kubectl-edit", path, "Fail")) == []


def test_an_address_that_a_chart_leaves_empty_is_the_servers() -> None:
    declared = examples.service(clusterIP="")
    declared["spec"]["ports"][0]["nodePort"] = 0
    assert left(declared, live_of(examples.service())) == [
        "spec.clusterIP",
        'spec.ports[port=80,protocol="TCP"].nodePort',
    ]


def test_a_declared_node_port_is_ours() -> None:
    declared = examples.service(type="NodePort")
    declared["spec"]["ports"][0]["nodePort"] = 30080
    assert left(declared, live_of(declared)) == []


def test_a_service_of_a_canary_keeps_flaggers_selector() -> None:
    declared = examples.service()
    live = rewritten(live_of(declared), "flagger", "spec.selector", {"app": "web-primary"})
    assert left(declared, live, examples.canary()) == ["spec.selector"]
    assert left(declared, live) == []


def test_what_is_left_is_taken_out_of_what_is_sent() -> None:
    sent = ignore.without(examples.deployment(), ('spec.template.spec.containers[name="main"].image', "spec.replicas"))
    assert "replicas" not in sent["spec"]
    main, side = sent["spec"]["template"]["spec"]["containers"]
    assert "image" not in main
    assert side["image"] == "side:1"
    assert examples.deployment()["spec"]["replicas"] == 2


@pytest.mark.parametrize("spec", [None, {}, {"scaleTargetRef": None}, {"targetRef": None, "service": None}])
@pytest.mark.parametrize(
    ("version", "kind"), [("autoscaling/v2", "HorizontalPodAutoscaler"), ("flagger.app/v1beta1", "Canary")]
)
def test_an_empty_field_of_one_object_ends_no_plan(version: str, kind: str, spec: Obj | None) -> None:
    """It is for the server to refuse, as an entry of the plan."""
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}, "spec": spec}
    assert not ignore.Context.of([obj]).holds(When.HPA_TARGET, Reference("apps", "Deployment", "b", "web"))
