"""What differs, field by field, and who wrote it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from meshflow.plan import changes, prepare
from meshflow.plan.digest import canonical
from meshflow.plan.model import Change
from tests.plan import api_server, examples
from tests.plan.test_compare import ALL, JSON

Obj = dict[str, Any]


def live_of(obj: Obj, **options: Any) -> Obj:
    return api_server.applied(prepare.prepared(obj), **options)


@pytest.mark.parametrize("obj", ALL, ids=lambda obj: str(obj["kind"]))
def test_an_object_does_not_differ_from_itself_applied_again(obj: Obj) -> None:
    live = live_of(obj)
    after = live_of(obj, live=live)
    assert changes.between(live, after) == ()
    assert changes.ownership_changes(live, after, "meshflow") == ""


@given(JSON, JSON)
def test_there_are_changes_exactly_when_the_values_differ(one: Any, other: Any) -> None:
    first = {"apiVersion": "example.com/v1", "kind": "Any", "metadata": {"name": "x"}, "spec": {"a": one}}
    second = {**first, "spec": {"a": other}}
    assert bool(changes.between(first, second)) == (canonical(one) != canonical(other))


def test_a_change_has_old_and_new_value_and_its_last_writer() -> None:
    live = live_of(examples.deployment())
    theirs = copy.deepcopy(live)
    theirs["spec"]["template"]["spec"]["containers"][1]["image"] = "hacked:1"
    live = api_server.updated(live, theirs, manager="kubectl-edit")
    after = live_of(examples.deployment(), live=live, force=True)
    assert changes.between(live, after) == (
        Change(
            'spec.template.spec.containers[name="side"].image',
            "hacked:1",
            "side:1",
            "kubectl-edit",
            api_server.LATER,
        ),
    )


def test_a_new_field_was_written_by_nobody() -> None:
    live = live_of(examples.deployment())
    after = live_of(examples.deployment(minReadySeconds=5), live=live)
    assert changes.between(live, after) == (Change("spec.minReadySeconds", None, 5),)


def test_a_dropped_item_of_a_keyed_list_is_one_readable_change() -> None:
    live = live_of(examples.deployment())
    declared = examples.deployment()
    declared["spec"]["template"]["spec"]["containers"][0]["env"].pop()
    (change,) = changes.between(live, live_of(declared, live=live))
    assert change.path == 'spec.template.spec.containers[name="main"].env[name="MODE"]'
    assert (change.old, change.new, change.manager) == ({"name": "MODE", "value": "fast"}, None, "meshflow")


def test_another_order_of_a_keyed_list_is_a_change_of_the_order() -> None:
    live = live_of(examples.deployment())
    declared = examples.deployment()
    declared["spec"]["template"]["spec"]["containers"].reverse()
    (change,) = changes.between(live, live_of(declared, live=live))
    assert (change.path, change.old, change.new) == (
        "spec.template.spec.containers",
        ["main", "side"],
        ["side", "main"],
    )


def test_values_of_secrets_are_masked() -> None:
    live = live_of(examples.secret(password="hunter2", old="x"))
    after = live_of(examples.secret(password="hunter3"), live=live)
    told = changes.between(live, after)
    assert [(change.path, change.old, change.new) for change in told] == [
        ("data.old", "***", None),
        ("data.password", "***", "***"),
    ]


def test_the_status_and_the_servers_metadata_are_no_changes() -> None:
    live = live_of(examples.deployment())
    after = {**copy.deepcopy(live), "status": {"replicas": 9}}
    after["metadata"] |= {"resourceVersion": "999", "generation": 7}
    assert changes.between(live, after) == ()


def test_taking_up_ownership_is_told_though_no_value_changes() -> None:
    live = live_of(examples.service(), manager="helm")
    after = live_of(examples.service(), live=live)
    assert changes.between(live, after) == ()
    assert changes.ownership_changes(live, after, "meshflow").startswith("takes up ")


def test_an_apply_in_another_version_of_the_kind_is_told_though_no_value_changes() -> None:
    route = {"kind": "VirtualService", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"hosts": ["web"]}}
    live = live_of({"apiVersion": "networking.istio.io/v1beta1", **route})
    after = live_of({"apiVersion": "networking.istio.io/v1", **route}, live=live)
    assert changes.ownership_changes(live, after, "meshflow") == "recorded as networking.istio.io/v1"
