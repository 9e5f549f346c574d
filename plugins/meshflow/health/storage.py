"""Volumes and claims."""

from __future__ import annotations

from meshflow.health.conditions import current, degraded, progressing, status
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def claim(obj: Obj) -> Health:
    """Bound is current. A claim whose storage class waits for the first pod is progressing until that pod is there."""
    phase = status(obj).get("phase") or "Pending"
    match phase:
        case "Bound":
            return current(f"bound, {(status(obj).get('capacity') or {}).get('storage', 'capacity unknown')}")
        case "Lost":
            return degraded("its volume is lost")
        case _:
            return progressing(f"{phase.lower()}: no volume is bound yet")


def volume(obj: Obj) -> Health:
    """A volume that failed to be reclaimed is degraded."""
    phase = status(obj).get("phase") or "Pending"
    if phase == "Failed":
        return degraded(f"failed: {status(obj).get('message') or 'no reason given'}")
    return progressing("pending") if phase == "Pending" else current(phase.lower())
