"""Namespaces."""

from __future__ import annotations

from meshflow.health.conditions import condition, current, progressing, status, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj

_STUCK = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")


def namespace(obj: Obj) -> Health:
    """A terminating namespace is progressing, with what it waits for."""
    if status(obj).get("phase", "Active") == "Active":
        return current("active")
    remaining = [why(found) for name in _STUCK if (found := condition(obj, name)) and found.get("status") == "True"]
    return progressing("terminating" + (f": {'; '.join(remaining)}" if remaining else ""))
