"""What the status of all kinds has in common: conditions and the generation that a controller has seen."""

from __future__ import annotations

from typing import Any

from meshflow.health.model import Health, Status
from meshflow.objects.reference import Obj


def status(obj: Obj) -> dict[str, Any]:
    """The status, empty where there is none."""
    return obj.get("status") or {}


def spec(obj: Obj) -> dict[str, Any]:
    """The spec, empty where there is none."""
    return obj.get("spec") or {}


def condition(obj: Obj, name: str) -> dict[str, Any] | None:
    """The condition of that type; None when it is not reported."""
    return next((one for one in status(obj).get("conditions") or () if one.get("type") == name), None)


def holds(obj: Obj, name: str, *, value: str = "True") -> bool:
    """Whether the condition is reported with that status."""
    found = condition(obj, name)
    return found is not None and found.get("status") == value


def why(found: dict[str, Any] | None) -> str:
    """A condition's reason and message in one clause, without a full stop."""
    if not found:
        return "no reason given"
    parts = [part for part in (found.get("reason"), found.get("message")) if part]
    return ": ".join(parts).rstrip(".") or "no reason given"


def unseen(obj: Obj) -> Health | None:
    """Progressing while the controller has not seen the present generation; None when it has, or does not say."""
    generation, observed = obj.get("metadata", {}).get("generation"), status(obj).get("observedGeneration")
    if generation is None or observed is None:
        return None
    if int(observed) < int(generation):  # Istio writes it as a string
        return progressing(f"its controller has seen generation {observed} of {generation}")
    return None


def generic(obj: Obj) -> Health:
    """By the conventions that most controllers keep: observedGeneration, Stalled, Reconciling, Ready.

    An object without any of these is current as soon as it exists.
    """
    if waiting := unseen(obj):
        return waiting
    if holds(obj, "Stalled"):
        return degraded(f"stalled: {why(condition(obj, 'Stalled'))}")
    if holds(obj, "Reconciling"):
        return progressing(f"reconciling: {why(condition(obj, 'Reconciling'))}")
    ready = condition(obj, "Ready")
    if ready is not None and ready.get("status") != "True":
        return progressing(f"not ready: {why(ready)}")
    return current("ready" if ready else "exists")


def current(message: str) -> Health:
    return Health(Status.CURRENT, message)


def progressing(message: str) -> Health:
    return Health(Status.PROGRESSING, message)


def degraded(message: str) -> Health:
    return Health(Status.DEGRADED, message)
