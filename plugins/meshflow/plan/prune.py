"""What may be deleted: what we applied, that no set declares any longer, that holds no data, and not too much of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from meshflow.objects.reference import Obj, Reference
from meshflow.plan import ownership

ANNOTATION = "meshflow.io/prune"
"""Set to `disabled` on a live object, it keeps the object from being pruned."""

FLOOR = 3
"""So many may always be pruned: a quarter of four objects is one, and a renamed Deployment takes three along."""

_KEPT_KINDS = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "deleting a definition deletes all its objects",
    ("", "Namespace"): "deleting a namespace deletes everything in it",
    ("", "PersistentVolumeClaim"): "it holds data",
    ("", "PersistentVolume"): "it holds data",
}


def protection(live: Obj, *, manager: str) -> str | None:
    """Why a live object is not pruned; None when it may be."""
    reference = Reference.of(live)
    metadata = live.get("metadata", {})
    if (metadata.get("annotations") or {}).get(ANNOTATION) == "disabled":
        return f"it is annotated {ANNOTATION}: disabled"
    if reason := _KEPT_KINDS.get((reference.group, reference.kind)):
        return reason
    if (reference.group, reference.kind) == ("", "Secret") and live.get("data"):
        return "it holds data"
    owners = ownership.owners(live)  # nobody owns anything of an object that is only a name: a bare ServiceAccount
    if owners and ownership.ours(owners, manager) is None:
        return "we own nothing of it any longer: somebody else made it anew or took it over"
    return None


def allowance(inventory: int, share: float) -> int:
    """How many of so many objects may be pruned at once."""
    return max(FLOOR, math.floor(inventory * share))


def refusal(doomed: Sequence[Reference], *, inventory: int, share: float) -> str:
    """A sentence when the plan prunes more than its budget; else empty."""
    allowed = allowance(inventory, share)
    if len(doomed) <= allowed:
        return ""
    return (
        f"The plan would delete {len(doomed)} of {inventory} objects, {allowed} are allowed at once "
        f"(prune_budget {share:.0%}). Check that the sources are complete; if they are, approve or raise the budget"
    )
