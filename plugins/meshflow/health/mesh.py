"""Istio's configuration: current unless istiod found fault with it.

istiod keeps a status only where that is turned on; an object without one is current as soon as it exists.
"""

from __future__ import annotations

from typing import Any

from meshflow.health.conditions import condition, current, degraded, progressing, status, unseen, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def configuration(obj: Obj) -> Health:
    """Validation messages of the level ERROR, or a failed analysis, are degraded; not reconciled is progressing."""
    if waiting := unseen(obj):
        return waiting
    errors = [one for one in status(obj).get("validationMessages") or () if one.get("level") == "ERROR"]
    if errors:
        return degraded(f"istiod finds {len(errors)} errors: {', '.join(map(_code, errors))}")
    analysis = condition(obj, "PassedAnalysis")
    if analysis and analysis.get("status") == "False":
        return degraded(f"istiod's analysis failed: {why(analysis)}")
    reconciled = condition(obj, "Reconciled")
    if reconciled and reconciled.get("status") == "False":
        return progressing(f"not at all proxies yet: {why(reconciled)}")
    return current("exists" if not status(obj) else "accepted")


def _code(message: dict[str, Any]) -> str:
    kind = message.get("type") or {}
    return f"{kind.get('code', '?')} {kind.get('name', '')}".strip()
