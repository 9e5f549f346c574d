"""Plan and apply against a cluster: what is written, and what is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from meshflow.clients.kube import Kube
from meshflow.engine import applier, inventory, planner, waiting
from meshflow.engine.planner import SetRules
from meshflow.engine.verdicts import Verdicts
from meshflow.errors import Conflict, PruneRefused, Rejected, Stale
from meshflow.objects.reference import Reference
from meshflow.plan.model import Action
from meshflow.plan.stages import Stage
from tests.conftest import PATIENCE
from tests.engine.examples import actions, config, declared, deployment, plan_and_apply, service, settled

Obj = dict[str, Any]


async def test_the_first_run_creates_and_the_second_writes_nothing(kube: Kube, namespace: str) -> None:
    desired = declared(deployment(namespace), service(namespace), config(namespace, "a", x="1"))
    first = await plan_and_apply(kube, desired, namespace)
    assert set(actions(first).values()) == {"create"}
    references = [item.reference for item in desired]
    assert (await waiting.for_health(kube, references, seconds=PATIENCE)).done

    kube.requests.clear()
    second = await plan_and_apply(kube, desired, namespace)
    assert set(actions(second).values()) == {"unchanged"}
    assert not set(kube.requests) & {"apply", "create", "patch", "delete"}


async def test_a_plan_lists_and_asks_only_about_suspects(kube: Kube, namespace: str) -> None:
    desired = declared(*(config(namespace, f"c{number}", x="1") for number in range(30)))
    await plan_and_apply(kube, desired, namespace)
    changed = declared(*(config(namespace, f"c{number}", x="2" if number == 7 else "1") for number in range(30)))
    kube.requests.clear()
    plan = await planner.plan(kube, changed, SetRules(namespace))
    assert kube.requests == {"list": 2, "dry-run": 1}
    (entry,) = plan.changed
    assert (entry.action, entry.changes[0].path) == (Action.CONFIGURE, "data.x")
    assert (entry.changes[0].old, entry.changes[0].new, entry.changes[0].manager) == ("1", "2", "meshflow")


async def test_a_false_suspicion_is_paid_for_once(kube: Kube, namespace: str) -> None:
    """What only looks different is asked about once, until it or the declaration changes."""
    obj = service(namespace)
    obj["spec"]["sessionAffinity"] = "None"
    obj["spec"]["externalIPs"] = []
    desired = declared(obj, config(namespace, "a", x="1"))
    verdicts = Verdicts()
    await plan_and_apply(kube, desired, namespace, verdicts=verdicts)
    await planner.plan(kube, desired, SetRules(namespace), verdicts=verdicts)
    kube.requests.clear()
    plan = await planner.plan(kube, desired, SetRules(namespace), verdicts=verdicts)
    assert not plan.changed
    assert "dry-run" not in kube.requests


async def test_an_object_that_is_only_a_name_needs_no_question(kube: Kube, namespace: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": namespace}}
    await plan_and_apply(kube, declared(account), namespace)
    kube.requests.clear()
    assert not (await planner.plan(kube, declared(account), SetRules(namespace))).changed
    assert "dry-run" not in kube.requests


async def test_a_plan_writes_nothing(kube: Kube, namespace: str) -> None:
    await planner.plan(kube, declared(config(namespace, "a", x="1")), SetRules(namespace))
    assert await kube.get(Reference("", "ConfigMap", namespace, "a")) is None
    assert set(kube.requests) <= {"list", "get", "dry-run", "create"}  # create: the namespace of this test


async def test_a_field_that_somebody_changed_is_a_conflict_with_name_and_time(kube: Kube, namespace: str) -> None:
    desired = declared(deployment(namespace))
    await plan_and_apply(kube, desired, namespace)
    reference = desired[0].reference
    await kube.patch(reference, {"spec": {"replicas": 7}}, manager="kubectl-edit")
    plan = await planner.plan(kube, desired, SetRules(namespace))
    (entry,) = plan.entries
    assert entry.action is Action.CONFLICT
    assert entry.message == "kubectl-edit (kubectl edit) owns spec.replicas"
    (change,) = entry.changes
    assert (change.path, change.old, change.new, change.manager) == ("spec.replicas", 7, 2, "kubectl-edit")
    assert change.time
    with pytest.raises(Conflict, match="kubectl edit"):
        await applier.begin(kube, desired, plan)
    live = await kube.get(reference)
    assert live is not None
    assert live["spec"]["replicas"] == 7


async def test_takeover_forces_exactly_that_object(kube: Kube, namespace: str) -> None:
    desired = declared(deployment(namespace))
    await plan_and_apply(kube, desired, namespace)
    await kube.patch(desired[0].reference, {"spec": {"replicas": 7}}, manager="kubectl-edit")
    plan = await plan_and_apply(kube, desired, namespace, takeover=True)
    (entry,) = plan.entries
    assert (entry.action, entry.takeover) == (Action.CONFIGURE, True)
    live = await kube.get(desired[0].reference)
    assert live is not None
    assert live["spec"]["replicas"] == 2
    assert not (await planner.plan(kube, desired, SetRules(namespace))).changed


async def test_replicas_belong_to_the_autoscaler_of_the_set(kube: Kube, namespace: str) -> None:
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 9,
        },
    }
    desired = declared(deployment(namespace), autoscaler)
    await plan_and_apply(kube, desired, namespace)
    await kube.patch(desired[0].reference, {"spec": {"replicas": 7}}, manager="kube-controller-manager")
    plan = await plan_and_apply(kube, desired, namespace)
    assert set(actions(plan).values()) == {"unchanged"}
    entry = plan.entry(desired[0].reference)
    assert entry is not None
    assert entry.leave == ("spec.replicas",)


async def test_a_dropped_field_is_removed(kube: Kube, namespace: str) -> None:
    await plan_and_apply(kube, declared(config(namespace, "a", x="1", y="2")), namespace)
    desired = declared(config(namespace, "a", x="1"))
    plan = await plan_and_apply(kube, desired, namespace)
    (entry,) = plan.changed
    assert [(change.path, change.old, change.new) for change in entry.changes] == [("data.y", "2", None)]
    live = await kube.get(desired[0].reference)
    assert live is not None
    assert live["data"] == {"x": "1"}


async def test_what_helm_made_is_adopted_without_changing_it(kube: Kube, namespace: str) -> None:
    await kube.create(config(namespace, "a", x="1"), manager="helm")
    desired = declared(config(namespace, "a", x="1"))
    plan = await plan_and_apply(kube, desired, namespace)
    (entry,) = plan.changed
    assert (entry.action, entry.changes) == (Action.CONFIGURE, ())
    assert entry.message == "takes up 1 field, values stay"
    assert not (await planner.plan(kube, desired, SetRules(namespace))).changed


async def test_an_object_that_the_server_refuses_is_unknown_with_the_reason(kube: Kube, namespace: str) -> None:
    wrong = deployment(namespace)
    wrong["spec"]["replicaz"] = 3
    desired = declared(wrong, config(namespace, "a", x="1"))
    plan = await planner.plan(kube, desired, SetRules(namespace))
    assert actions(plan) == {"Deployment/web": "unknown", "ConfigMap/a": "create"}
    entry = plan.entry(desired[0].reference)
    assert entry is not None
    assert "replicaz" in entry.message
    with pytest.raises(Rejected, match="replicaz"):
        await applier.run(kube, desired, plan, settled=settled)
    assert await kube.get(desired[1].reference) is None


async def test_what_leaves_the_sources_is_pruned_and_what_holds_data_is_kept(kube: Kube, namespace: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": namespace},
        "stringData": {"a": "b"},
    }
    keep = config(namespace, "keep", x="1")
    keep["metadata"]["annotations"] = {"meshflow.io/prune": "disabled"}
    before = declared(config(namespace, "a", x="1"), config(namespace, "b", x="1"), secret, keep)
    await plan_and_apply(kube, before, namespace)
    after = declared(config(namespace, "a", x="1"))
    plan = await plan_and_apply(kube, after, namespace)
    assert actions(plan) == {
        "ConfigMap/a": "unchanged",
        "ConfigMap/b": "prune",
        "ConfigMap/keep": "unchanged",
        "Secret/key": "unchanged",
    }
    assert await kube.get(Reference("", "ConfigMap", namespace, "b")) is None
    assert await kube.get(Reference("", "Secret", namespace, "key")) is not None
    kept = (await inventory.read(kube, namespace)).references
    assert {reference.name for reference in kept} == {"a", "key", "keep"}


async def test_pruning_beyond_the_budget_is_refused_before_anything_is_written(kube: Kube, namespace: str) -> None:
    await plan_and_apply(kube, declared(*(config(namespace, f"c{i}", x="1") for i in range(10))), namespace)
    desired = declared(config(namespace, "c0", x="2"))
    plan = await planner.plan(kube, desired, SetRules(namespace))
    with pytest.raises(PruneRefused, match="would delete 9 of 10 objects, 3 are allowed") as refused:
        await applier.run(kube, desired, plan, settled=settled)
    assert len(refused.value.references) == 9
    live = await kube.get(desired[0].reference)
    assert live is not None
    assert live["data"] == {"x": "1"}
    await applier.run(kube, desired, plan, settled=settled, allow_prune=True)
    assert (await inventory.read(kube, namespace)).references == {desired[0].reference}


async def test_an_object_that_moves_to_another_set_is_not_pruned(kube: Kube, namespace: str) -> None:
    both = declared(config(namespace, "a", x="1"), config(namespace, "b", x="1"))
    one, other = f"{namespace}-one", f"{namespace}-other"
    await plan_and_apply(kube, both, one)
    await plan_and_apply(kube, both[1:], other)
    plan = await plan_and_apply(kube, both[:1], one)
    assert actions(plan) == {"ConfigMap/a": "unchanged"}
    assert await kube.get(both[1].reference) is not None
    assert (await inventory.read(kube, one)).references == {both[0].reference}


async def test_an_object_of_two_sets_is_pointed_out(kube: Kube, namespace: str) -> None:
    one, other = f"{namespace}-one", f"{namespace}-other"
    await plan_and_apply(kube, declared(config(namespace, "a", x="1")), one)
    plan = await planner.plan(kube, declared(config(namespace, "a", x="1")), SetRules(other))
    (entry,) = plan.entries
    assert (entry.action, entry.message) == (Action.UNCHANGED, f"the set {one} has it in its inventory too")


async def test_an_object_made_anew_by_somebody_else_is_not_pruned(kube: Kube, namespace: str) -> None:
    both = declared(config(namespace, "a", x="1"), config(namespace, "b", x="1"))
    await plan_and_apply(kube, both, namespace)
    await kube.delete(both[1].reference)
    await kube.create(config(namespace, "b", x="theirs"), manager="somebody")
    plan = await plan_and_apply(kube, both[:1], namespace)
    entry = plan.entry(both[1].reference)
    assert entry is not None
    assert entry.action is Action.UNCHANGED
    assert "somebody else" in entry.message
    assert await kube.get(both[1].reference) is not None


async def test_a_crash_in_the_middle_leaves_nothing_that_the_inventory_does_not_name(
    kube: Kube, namespace: str
) -> None:
    desired = declared(config(namespace, "a", x="1"), service(namespace))
    plan = await planner.plan(kube, desired, SetRules(namespace))
    await applier.begin(kube, desired, plan)
    assert (await inventory.read(kube, namespace)).references == {item.reference for item in desired}
    again = await plan_and_apply(kube, desired, namespace)
    assert set(actions(again).values()) == {"create"}


async def test_other_objects_than_planned_are_refused(kube: Kube, namespace: str) -> None:
    plan = await planner.plan(kube, declared(config(namespace, "a", x="1")), SetRules(namespace))
    with pytest.raises(Stale, match="Run the plan again"):
        await applier.begin(kube, declared(config(namespace, "a", x="2")), plan)


async def test_custom_resources_come_with_their_definition_and_namespace(kube: Kube, namespace: str) -> None:
    group = f"{namespace}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"geese.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Goose", "plural": "geese", "singular": "goose", "listKind": "GooseList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                        }
                    },
                }
            ],
        },
    }
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-new"}}
    goose = {
        "apiVersion": f"{group}/v1",
        "kind": "Goose",
        "metadata": {"name": "martin", "namespace": f"{namespace}-new"},
        "spec": {"white": True},
    }
    desired = declared(goose, place, definition)
    plan = await planner.plan(kube, desired, SetRules(namespace))
    assert set(actions(plan).values()) == {"create"}

    async def healthy(stage: Stage) -> None:
        assert (await waiting.for_health(kube, stage.references, seconds=PATIENCE)).done

    await applier.run(kube, desired, plan, settled=healthy)
    second = await planner.plan(kube, desired, SetRules(namespace))
    assert set(actions(second).values()) == {"unchanged"}
    for item in desired:
        await kube.delete(item.reference)


async def test_one_refused_write_does_not_hide_the_others_of_its_rank(kube: Kube, namespace: str) -> None:
    desired = declared(config(namespace, "a", x="1"), config(namespace, "b", x="1"))
    await plan_and_apply(kube, desired, namespace)
    changed = copy.deepcopy(desired)
    for item in changed:
        item.obj["data"]["x"] = "2"
    plan = await planner.plan(kube, changed, SetRules(namespace))
    await kube.patch(desired[0].reference, {"data": {"x": "3"}}, manager="kubectl-edit")
    with pytest.raises(Conflict, match="kubectl-edit"):
        await applier.run(kube, changed, plan, settled=settled)
    live = await kube.get(desired[1].reference)
    assert live is not None
    assert live["data"] == {"x": "2"}


def policy(namespace: str, **peer: Obj) -> Obj:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "in", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]},
    }


def tolerating(namespace: str, **more: object) -> Obj:
    obj = deployment(namespace)
    toleration = {"key": "broken", "operator": "Exists", "effect": "NoExecute", **more}
    obj["spec"]["template"]["spec"]["tolerations"] = [toleration]
    return obj


async def test_an_empty_selector_that_opens_a_policy_to_all_namespaces_is_a_change(kube: Kube, namespace: str) -> None:
    """An empty value is not always none: the server keeps this one, inside a list that it does not look into."""
    peer: Obj = {"podSelector": {"matchLabels": {"app": "web"}}}
    await plan_and_apply(kube, declared(policy(namespace, **peer)), namespace)
    opened = declared(policy(namespace, **peer, namespaceSelector={}))
    assert actions(await plan_and_apply(kube, opened, namespace)) == {"NetworkPolicy/in": "configure"}
    assert not (await planner.plan(kube, opened, SetRules(namespace))).changed


async def test_a_zero_that_is_not_the_default_is_a_change(kube: Kube, namespace: str) -> None:
    """Without tolerationSeconds a pod stays for ever, with 0 it goes at once."""
    await plan_and_apply(kube, declared(tolerating(namespace)), namespace)
    leaving = declared(tolerating(namespace, tolerationSeconds=0))
    assert actions(await plan_and_apply(kube, leaving, namespace)) == {"Deployment/web": "configure"}
