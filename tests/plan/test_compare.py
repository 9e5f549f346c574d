"""Whether an object seems to differ, without asking the server."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow.plan import compare, ownership, prepare
from tests.plan import api_server, examples

Obj = dict[str, Any]

ALL = [
    examples.deployment(),
    examples.service(),
    examples.secret(password="hunter2"),
    examples.webhook(),
    examples.canary(),
    examples.autoscaler(),
]


def suspicion(declared: Obj, live: Obj) -> str | None:
    own = ownership.ours(ownership.owners(live), "meshflow")
    return "not ours" if own is None else compare.suspicion(prepare.prepared(declared), live, own.fields)


def live_of(obj: Obj) -> Obj:
    return api_server.applied(prepare.prepared(obj))


@pytest.mark.parametrize("obj", ALL, ids=lambda obj: str(obj["kind"]))
def test_what_was_applied_is_as_declared(obj: Obj) -> None:
    assert suspicion(obj, live_of(obj)) is None


JSON = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 5), st.text(max_size=4)),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.text("abc", min_size=1, max_size=3), below, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=4))
def test_any_custom_resource_that_was_applied_is_as_declared(spec: Obj) -> None:
    obj = {"apiVersion": "example.com/v1", "kind": "Any", "metadata": {"name": "x", "namespace": "y"}, "spec": spec}
    assert suspicion(obj, live_of(obj)) is None


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=4),
    st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=4),
)
def test_no_two_custom_resources_are_taken_for_the_same(one: Obj, other: Obj) -> None:
    """Unchanged without a dry-run has to be certain."""
    first = {"apiVersion": "example.com/v1", "kind": "Any", "metadata": {"name": "x"}, "spec": one}
    second = {**first, "spec": other}
    live = live_of(first)
    if suspicion(second, live) is None:
        after = api_server.applied(prepare.prepared(second), live=live)
        assert after["spec"] == live["spec"]


def changed(path: str) -> Callable[[Obj], None]:
    def change(obj: Obj) -> None:
        containers = obj["spec"]["template"]["spec"]["containers"]
        match path:
            case "image":
                containers[0]["image"] = "web:2"
            case "added argument":
                containers[0]["args"].append("--verbose")
            case "removed variable":
                containers[0]["env"].pop()
            case "added variable":
                containers[0]["env"].append({"name": "NEW", "value": "1"})
            case "removed container":
                containers.pop()
            case "other order":
                containers.reverse()
            case "removed label":
                del obj["metadata"]["labels"]["istio.io/rev"]
            case "quantity":
                containers[0]["resources"]["requests"]["cpu"] = "1001m"
            case "new field":
                obj["spec"]["minReadySeconds"] = 5
            case "selector":
                obj["spec"]["selector"]["matchLabels"]["tier"] = "x"

    change.__name__ = path
    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(path)
        for path in (
            "image",
            "added argument",
            "removed variable",
            "added variable",
            "removed container",
            "other order",
            "removed label",
            "quantity",
            "new field",
            "selector",
        )
    ],
    ids=lambda change: str(change.__name__),
)
def test_every_change_of_the_manifest_is_suspected(change: Callable[[Obj], None]) -> None:
    live = live_of(examples.deployment())
    declared = examples.deployment()
    change(declared)
    assert suspicion(declared, live) is not None


@pytest.mark.parametrize("cpu", ["1", 1, "1000m", "1.0"])
def test_another_way_to_write_a_quantity_is_no_difference(cpu: object) -> None:
    declared = examples.deployment()
    declared["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
    assert suspicion(declared, live_of(examples.deployment())) is None


def test_a_field_that_somebody_else_wrote_is_suspected_even_with_its_old_value() -> None:
    """An update takes the field away from us; the next one could change it unnoticed."""
    live = live_of(examples.deployment())
    theirs = copy.deepcopy(live)
    theirs["spec"]["replicas"] = 5
    live = api_server.updated(live, theirs, manager="kubectl-edit")
    back = copy.deepcopy(live)
    back["spec"]["replicas"] = 2
    live = api_server.updated(live, back, manager="kubectl-edit")
    assert suspicion(examples.deployment(), live) == "spec.replicas is not ours yet, or no longer"


def test_what_others_add_beside_our_fields_is_not_our_business() -> None:
    live = live_of(examples.deployment())
    theirs = copy.deepcopy(live)
    theirs["metadata"]["labels"]["theirs"] = "yes"
    theirs["spec"]["template"]["spec"]["containers"].append({"name": "injected", "image": "x"})
    live = api_server.updated(live, theirs, manager="somebody")
    assert suspicion(examples.deployment(), live) is None


def test_a_key_of_a_secret_that_is_declared_no_longer_is_suspected() -> None:
    live = live_of(examples.secret(one="1", two="2"))
    assert suspicion(examples.secret(one="1"), live) == "data.two is ours but declared no longer"


def test_the_words_of_a_suspicion_do_not_show_the_value() -> None:
    live = live_of(examples.secret(password="hunter2"))
    told = suspicion(examples.secret(password="hunter3"), live)
    assert told == "data.password differs"


@pytest.mark.parametrize(
    "obj",
    [
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"max": "1", "default": "1000"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": {"min": "1"}}},
        {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "spec": {"thresholdRange": {"max": "1"}}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"metadata": {"labels": {"max": "1"}}}}},
    ],
    ids=lambda obj: str(obj["kind"]),
)
def test_text_that_looks_like_a_quantity_is_no_quantity(obj: Obj) -> None:
    """`1.0` in a ConfigMap's `max` is another text than `1`: taken for the same, it would never be written."""
    obj = {**obj, "metadata": {"name": "x", "namespace": "y", **obj.get("metadata", {})}}
    other = json.loads(json.dumps(obj).replace('"1"', '"1.0"').replace('"1000"', '"1k"'))
    assert suspicion(other, live_of(obj)) is not None


def test_an_item_that_is_declared_twice_is_for_the_server_to_refuse() -> None:
    """It would refuse a first installation: taken for unchanged, nobody would know before that."""
    live = live_of(examples.deployment())
    declared = examples.deployment()
    container = declared["spec"]["template"]["spec"]["containers"][0]
    container["env"].append(dict(container["env"][0]))
    assert "is declared twice" in str(suspicion(declared, live))
