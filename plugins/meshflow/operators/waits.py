"""The end of a wait for health: nothing, or a sentence that names what was missing and what its pods say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshflow import errors
from meshflow.engine import explaining
from meshflow.operators.ways import Ask
from meshflow.triggers import health


def end(event: Mapping[str, Any], *, what: str, ask: Ask) -> None:
    """Return after a wait that ended well; else raise Degraded or WaitExpired with a sentence about `what`.

    The cluster is asked once more, for what pods complain about. The failure is never lost to that question.
    """
    missing = health.unhealthy(event)
    told: Mapping[Any, str] = {}
    if missing:
        try:
            told = ask(lambda kube: explaining.explain(kube, missing))
        except errors.MeshflowError:
            told = {}
    health.raise_unless_healthy(event, what=what, reasons=[f"{reference}: {said}" for reference, said in told.items()])
