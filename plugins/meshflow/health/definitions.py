"""Custom resource definitions and aggregated APIs: what has to be served before its objects can be written."""

from __future__ import annotations

from meshflow.health.conditions import condition, current, degraded, holds, progressing, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def definition(obj: Obj) -> Health:
    """Established and NamesAccepted. Names that clash with another definition are degraded."""
    if holds(obj, "NamesAccepted", value="False"):
        return degraded(f"its names are not accepted: {why(condition(obj, 'NamesAccepted'))}")
    established = condition(obj, "Established")
    if established and established.get("status") == "True" and holds(obj, "NamesAccepted"):
        return current("established")
    if established and established.get("status") == "False" and established.get("reason") != "Installing":
        return progressing(f"not established: {why(established)}")
    return progressing("not established yet")


def api_service(obj: Obj) -> Health:
    """Available, as the aggregator says."""
    available = condition(obj, "Available")
    if available is None:
        return progressing("its server has not been asked yet")
    return current("available") if available.get("status") == "True" else progressing(f"unavailable: {why(available)}")
