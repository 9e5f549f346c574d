"""A Deployment's status: its counts, and the conditions Available and Progressing. Pure.

Progressing tells the story of one rollout:

    ReplicaSetUpdated (while anything moves) ──► NewReplicaSetAvailable (done; stays until the next template)
            └──► ProgressDeadlineExceeded (False: nothing moved for progressDeadlineSeconds) ──► back when it moves
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.controllers import conditions, rollout

Obj = dict[str, Any]


def counts(deployment: Obj, new: Obj | None, everything: Sequence[Obj]) -> Obj:
    """The counts of the status; those that are zero are left out."""

    def total(key: str, replica_sets: Sequence[Obj]) -> int:
        return sum((rs.get("status") or {}).get(key, 0) for rs in replica_sets)

    available = total("availableReplicas", everything)
    found = {
        "replicas": total("replicas", everything),
        "updatedReplicas": total("replicas", [new] if new else []),
        "readyReplicas": total("readyReplicas", everything),
        "availableReplicas": available,
        "unavailableReplicas": max(0, rollout.size(everything) - available),
    }
    return {key: value for key, value in found.items() if value}


def complete(deployment: Obj, status: Obj) -> bool:
    """All replicas are of the new template and available, and none of an old one is left."""
    wanted = rollout.replicas(deployment)
    reached = [status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas")]
    return reached == [wanted] * 3 and status["observedGeneration"] >= deployment["metadata"]["generation"]


def moved(before: Obj, after: Obj) -> bool:
    """More new pods, fewer old ones, or more of them ready or available."""

    def get(status: Obj, key: str) -> int:
        return int(status.get(key, 0))

    def old(status: Obj) -> int:
        return get(status, "replicas") - get(status, "updatedReplicas")

    return old(after) < old(before) or any(
        get(after, key) > get(before, key) for key in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )


def with_available(found: list[Obj], deployment: Obj, status: Obj, *, now: str) -> list[Obj]:
    """The condition Available: enough pods, counted against what a rollout may take away."""
    if status.get("availableReplicas", 0) >= rollout.floor(deployment):
        words = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        words = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    old = conditions.find(found, "Available")
    if old is not None and (old["status"], old.get("reason")) == words[:2]:
        return found
    state, reason, message = words
    return conditions.put(found, "Available", state, now=now, reason=reason, message=message, updated=True)


def progressing(found: list[Obj], state: str, reason: str, message: str, *, now: str) -> list[Obj]:
    """The condition Progressing with these words."""
    return conditions.put(found, "Progressing", state, now=now, reason=reason, message=message, updated=True)


def reason(found: list[Obj]) -> str:
    """The reason of the condition Progressing; empty where there is none."""
    return str((conditions.find(found, "Progressing") or {}).get("reason", ""))
