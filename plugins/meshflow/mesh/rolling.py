"""How a release ended that nobody analysed: what the objects show beyond their health."""

from __future__ import annotations

from typing import Any

from meshflow.mesh import blue_green
from meshflow.mesh.weights import weights
from meshflow.objects.reference import Obj
from meshflow.release.outcome import Outcome


def ended(workload: Obj | None, *, image: str, service: str) -> dict[str, Any] | None:
    """The outcome where a healthy workload does not run `image` in all of its pods; None where it does.

    Health does not ask whose revision it is, and takes a set for fine whose pods wait for somebody to delete them
    (OnDelete), or are kept on the old template (a partition).
    """
    if workload is None:
        return _told(Outcome.ABORTED, f"{service}: the workload was deleted")
    if not blue_green.runs(workload, image):
        return _told(Outcome.SUPERSEDED, f"{service}: the workload runs another image by now")
    state = blue_green.readiness(workload)
    if state.ready:
        return None
    if workload["spec"].get("replicas") == 0:
        return _told(Outcome.UNKNOWN, f"{service}: the workload is scaled to 0, so nobody runs what was asked for")
    return _told(Outcome.WEDGED, f"{service}: not all pods run what was asked for: {state.message}{_held(workload)}")


def astray(virtual_service: Obj | None, *, routes: str, service: str) -> dict[str, Any] | None:
    """The outcome where nothing is released and yet traffic is on the canary; None where it is not."""
    split = weights(virtual_service, service=routes)
    if split is None or not split.canary:
        return None
    return _told(
        Outcome.FAILED_ON_CANARY, f"{service}: nothing was released now, and traffic is on the canary: {split}"
    )


def _held(workload: Obj) -> str:
    strategy = workload["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return "; its strategy OnDelete waits for somebody to delete its pods"
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    return f"; its partition {partition} keeps pods on the old template" if partition else ""


def _told(outcome: Outcome, message: str) -> dict[str, Any]:
    return {"outcome": outcome.value, "message": message, "timeline": []}
