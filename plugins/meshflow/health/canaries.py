"""Flagger's Canary as an object of the cluster. How a release ended is decided in meshflow.mesh.canary, not here."""

from __future__ import annotations

from meshflow.health.conditions import condition, current, degraded, progressing, status
from meshflow.health.model import Health
from meshflow.objects.reference import Obj

_SETTLED = frozenset(("Initialized", "Succeeded"))


def canary(obj: Obj) -> Health:
    """Initialized and Succeeded are current, Failed is degraded, every other phase is under way."""
    phase = status(obj).get("phase")
    if not phase:
        return progressing("Flagger has not looked at it yet")
    if phase in _SETTLED:
        return current(phase)
    if phase == "Failed":
        return degraded(f"Failed: {(condition(obj, 'Promoted') or {}).get('message') or 'no reason given'}")
    weight, failed = status(obj).get("canaryWeight", 0), status(obj).get("failedChecks", 0)
    return progressing(f"{phase}, canary weight {weight} %, {failed} failed checks")
