"""Definitions that change under their objects, objects that move between sets, and what the inventory remembers."""

from __future__ import annotations

import copy
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.engine import applier, inventory, planner, reading, waiting
from meshflow.engine.comparer import UNASKED
from meshflow.engine.planner import SetRules
from meshflow.objects.reference import Reference
from meshflow.plan.model import Action
from meshflow.plan.stages import Stage, stages
from tests.clients.fake_api import FakeApi, listing, ok, running, status
from tests.conftest import PATIENCE
from tests.engine.examples import actions, config, declared, plan_and_apply

Obj = dict[str, Any]


@pytest.fixture
async def definition(kube: Kube) -> AsyncIterator[Obj]:
    """A definition of a kind of the test's own, with one version and one field."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    spec = {"type": "object", "properties": {"colour": {"type": "string"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    yield {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    await kube.delete(Reference("apiextensions.k8s.io", "CustomResourceDefinition", None, f"widgets.{group}"))


def widget(definition: Obj, namespace: str, *, version: str = "v1", **spec: str) -> Obj:
    group = definition["spec"]["group"]
    metadata = {"name": "one", "namespace": namespace}
    return {"apiVersion": f"{group}/{version}", "kind": "Widget", "metadata": metadata, "spec": spec}


def with_field(definition: Obj, name: str) -> Obj:
    changed = copy.deepcopy(definition)
    schema = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"][name] = {"type": "string"}
    return changed


def with_version(definition: Obj, name: str) -> Obj:
    changed = copy.deepcopy(definition)
    changed["spec"]["versions"].append({**changed["spec"]["versions"][0], "name": name, "storage": False})
    return changed


async def installed(kube: Kube, namespace: str, *objects: Obj) -> None:
    async def healthy(stage: Stage) -> None:
        assert (await waiting.for_health(kube, stage.references, seconds=PATIENCE)).done

    desired = declared(*objects)
    plan = await planner.plan(kube, desired, SetRules(namespace))
    await applier.run(kube, desired, plan, settled=healthy)


async def test_an_object_may_use_a_field_that_its_definition_gets_with_it(
    kube: Kube, namespace: str, definition: Obj
) -> None:
    """As in an upgrade of a chart. Refused, it could never be applied: the definition would wait for the plan."""
    await installed(kube, namespace, definition, widget(definition, namespace, colour="red"))
    upgrade = (with_field(definition, "size"), widget(definition, namespace, colour="red", size="big"))
    plan = await planner.plan(kube, declared(*upgrade), SetRules(namespace))
    assert set(actions(plan).values()) == {"configure"}
    assert plan.entries[-1].message == UNASKED
    await installed(kube, namespace, *upgrade)
    assert not (await planner.plan(kube, declared(*upgrade), SetRules(namespace))).changed


async def test_an_object_may_go_over_to_a_version_that_its_definition_gets_with_it(
    kube: Kube, namespace: str, definition: Obj
) -> None:
    await installed(kube, namespace, definition, widget(definition, namespace, colour="red"))
    upgrade = (with_version(definition, "v2"), widget(definition, namespace, version="v2", colour="red"))
    plan = await planner.plan(kube, declared(*upgrade), SetRules(namespace))
    assert set(actions(plan).values()) == {"configure"}  # and not create: it is there, in the old version
    await installed(kube, namespace, *upgrade)
    assert not (await planner.plan(kube, declared(*upgrade), SetRules(namespace))).changed


async def test_without_a_change_of_its_definition_a_wrong_field_is_still_refused(
    kube: Kube, namespace: str, definition: Obj
) -> None:
    await installed(kube, namespace, definition, widget(definition, namespace, colour="red"))
    wrong = declared(definition, widget(definition, namespace, colour="red", size="big"))
    plan = await planner.plan(kube, wrong, SetRules(namespace))
    assert [entry.action for entry in plan.changed] == [Action.UNKNOWN]
    assert "field not declared in schema" in plan.changed[0].message


async def test_a_server_that_does_not_know_the_new_definition_yet_is_given_a_moment(definition: Obj) -> None:
    desired = declared(with_field(definition, "size"), widget(definition, "shop", size="big"))
    group, crd = definition["spec"]["group"], f"widgets.{definition['spec']['group']}"
    refused = status(500, "", "failed to create typed patch object: .spec.size: field not declared in schema")
    path = f"/apis/{group}/v1/namespaces/shop/widgets/one"
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with running() as (api, kube):
        api.on("GET", "/api/v1/namespaces/meshflow-system/configmaps", listing())
        api.on("PATCH", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}", ok(definition))
        plan = await planner.plan(kube, desired, SetRules("x"))
        api.on("PATCH", path, refused, status(404, "NotFound"), ok(widget(definition, "shop")))
        (applied,) = await applier.apply(kube, desired, plan, stage=stages(desired)[1], sleep=sleep)
    assert applied.reference.kind == "Widget"
    assert slept == [1, 1]


def gone_over_to(other: str, obj: Obj) -> planner.Others:
    """Another set declares the object."""
    (item,) = declared(obj)
    return lambda: {item.reference: other}


async def test_an_object_that_moved_to_another_set_is_not_pruned_before_that_is_applied(
    kube: Kube, namespace: str
) -> None:
    """Deleted here and made anew there, a gateway's Service would get another address."""
    a, b = config(namespace, "a", x="1"), config(namespace, "b", x="1")
    await plan_and_apply(kube, declared(a, b), namespace)
    plan = await planner.plan(kube, declared(a), SetRules(namespace), others=gone_over_to("mtls", b))
    assert actions(plan) == {"ConfigMap/a": "unchanged", "ConfigMap/b": "unchanged"}
    assert plan.entries[1].message == ("declared no longer, but stays: the set mtls declares it, and has to be applied")
    await applier.finish(kube, declared(a), plan)
    assert len((await inventory.read(kube, namespace)).references) == 2  # until the other set has it


async def test_where_nobody_can_say_what_others_declare_nothing_is_pruned(kube: Kube, namespace: str) -> None:
    def unknown() -> dict[Reference, str]:
        raise errors.Unreachable("charts.example.com does not answer", target="charts.example.com")

    a, b = config(namespace, "a", x="1"), config(namespace, "b", x="1")
    await plan_and_apply(kube, declared(a, b), namespace)
    plan = await planner.plan(kube, declared(a), SetRules(namespace), others=unknown)
    assert plan.entries[1].action is Action.UNCHANGED
    assert "not known (charts.example.com does not answer)" in plan.entries[1].message


async def test_other_sets_are_not_asked_while_nothing_leaves(kube: Kube, namespace: str) -> None:
    def never() -> dict[Reference, str]:
        raise AssertionError("asked")

    desired = declared(config(namespace, "a", x="1"))
    await plan_and_apply(kube, desired, namespace)
    await planner.plan(kube, desired, SetRules(namespace), others=never)


async def test_what_waits_for_a_finalizer_is_remembered_until_it_is_gone(kube: Kube, namespace: str) -> None:
    a, b = config(namespace, "a", x="1"), config(namespace, "b", x="1")
    await plan_and_apply(kube, declared(a, b), namespace)
    held = Reference("", "ConfigMap", namespace, "b")
    await kube.patch(held, {"metadata": {"finalizers": ["example.com/hold"]}}, manager="somebody")
    await plan_and_apply(kube, declared(a), namespace)
    assert held in (await inventory.read(kube, namespace)).references
    plan = await planner.plan(kube, declared(a), SetRules(namespace))
    assert "is being deleted since" in plan.entries[1].message
    assert "waits for example.com/hold" in plan.entries[1].message
    await kube.patch(held, {"metadata": {"finalizers": None}}, manager="somebody")
    await plan_and_apply(kube, declared(a), namespace)
    assert held not in (await inventory.read(kube, namespace)).references


async def test_what_was_made_anew_since_the_plan_is_not_called_pruned(kube: Kube, namespace: str) -> None:
    a, b = config(namespace, "a", x="1"), config(namespace, "b", x="1")
    await plan_and_apply(kube, declared(a, b), namespace)
    plan = await planner.plan(kube, declared(a), SetRules(namespace))
    await kube.delete(Reference("", "ConfigMap", namespace, "b"))
    await kube.create(b, manager="somebody")
    assert await applier.finish(kube, declared(a), plan) == []
    assert await kube.get(Reference("", "ConfigMap", namespace, "b")) is not None


async def test_an_object_whose_kind_is_served_in_another_version_is_not_taken_for_gone() -> None:
    """The inventory would forget it, and nobody would ever delete it."""
    group = "telemetry.istio.io"
    reference = Reference(group, "Telemetry", "shop", "x")
    old = {"apiVersion": f"{group}/v1alpha1", "kind": "Telemetry", "metadata": {"name": "x", "namespace": "shop"}}
    resource = {"resource": "telemetries", "scope": "Namespaced", "responseKind": {"kind": "Telemetry"}}
    served = {"metadata": {"name": group}, "versions": [{"version": "v1alpha1", "resources": [resource]}]}
    async with running() as (api, kube):
        discovery(api, served)
        api.on("GET", f"/apis/{group}/v1alpha1/namespaces/shop/telemetries/x", ok(old))
        assert await reading.read(kube, [reference]) == {reference: old}


def discovery(api: FakeApi, *groups: Obj) -> None:
    api.on("GET", "/api", ok({"items": []}))
    api.on("GET", "/apis", ok({"items": list(groups)}))
