"""What may be deleted."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow.objects.reference import Reference
from meshflow.plan import prepare, prune
from tests.plan import api_server, examples

Obj = dict[str, Any]


def live_of(obj: Obj, **options: Any) -> Obj:
    return api_server.applied(prepare.prepared(obj), **options)


@pytest.mark.parametrize(
    ("obj", "reason"),
    [
        (
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "x"},
            },
            "deletes all its objects",
        ),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}, "everything in it"),
        (
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x", "namespace": "y"}},
            "holds data",
        ),
        (live_of(examples.secret(a="b")), "holds data"),
        (live_of(examples.deployment(), manager="helm"), "we own nothing of it"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_protected_objects_stay_and_say_why(obj: Obj, reason: str) -> None:
    assert reason in str(prune.protection(obj, manager="meshflow"))


def test_an_annotation_keeps_any_object() -> None:
    obj = examples.deployment()
    obj["metadata"]["annotations"] = {"meshflow.io/prune": "disabled"}
    assert "annotated" in str(prune.protection(live_of(obj), manager="meshflow"))


def test_an_object_that_is_only_a_name_may_go() -> None:
    """Nothing of it is owned, so managedFields cannot tell who made it; the inventory says that we did."""
    live = live_of({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "b"}})
    assert prune.protection(live, manager="meshflow") is None


def test_what_we_applied_may_go() -> None:
    assert prune.protection(live_of(examples.deployment()), manager="meshflow") is None


@pytest.mark.parametrize(
    ("inventory", "share", "allowed"), [(4, 0.25, 3), (12, 0.25, 3), (40, 0.25, 10), (40, 0, 3), (100, 1.0, 100)]
)
def test_small_sets_have_a_floor(inventory: int, share: float, allowed: int) -> None:
    assert prune.allowance(inventory, share) == allowed


def test_a_refusal_says_the_numbers_and_the_way_out() -> None:
    doomed = [Reference("", "ConfigMap", "a", str(number)) for number in range(11)]
    assert prune.refusal(doomed[:10], inventory=40, share=0.25) == ""
    told = prune.refusal(doomed, inventory=40, share=0.25)
    assert told.startswith("The plan would delete 11 of 40 objects, 10 are allowed at once (prune_budget 25%).")
    assert "raise the budget" in told
