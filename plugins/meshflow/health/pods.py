"""Pods: every container ready, native sidecars (init containers that stay) included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshflow.health.conditions import condition, current, degraded, holds, progressing, spec, status, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj

_HOPELESS = frozenset(
    (
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    )
)


def pod(obj: Obj) -> Health:
    """A finished pod is current; one that crashes, or whose image cannot be had, is degraded."""
    phase = status(obj).get("phase")
    if phase == "Succeeded":
        return current("finished")
    if phase == "Failed":
        reason = status(obj).get("message") or status(obj).get("reason") or "a container failed"
        return degraded(f"failed: {reason}")
    for name, waiting in _waiting(obj):
        if waiting.get("reason") in _HOPELESS:
            return degraded(f"container {name}: {why(waiting)}")
    scheduled = condition(obj, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        return progressing(f"not scheduled: {why(scheduled)}")
    ready, total = _ready(obj)
    told = f"{ready} of {total} containers ready"
    return current(told) if holds(obj, "Ready") else progressing(told)


def _ready(obj: Obj) -> tuple[int, int]:
    """How many containers that stay are ready, and how many there are."""
    staying = {one["name"] for one in spec(obj).get("containers") or ()}
    staying |= {one["name"] for one in spec(obj).get("initContainers") or () if one.get("restartPolicy") == "Always"}
    ready = {one["name"] for one in _statuses(obj) if one.get("ready")}
    return len(staying & ready), len(staying)


def _waiting(obj: Obj) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in _statuses(obj):
        if waiting := (one.get("state") or {}).get("waiting"):
            yield one["name"], waiting


def _statuses(obj: Obj) -> list[dict[str, Any]]:
    return [*(status(obj).get("initContainerStatuses") or ()), *(status(obj).get("containerStatuses") or ())]
