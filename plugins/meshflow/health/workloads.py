"""Deployments, StatefulSets, DaemonSets and ReplicaSets: all replicas updated and available, no old one left."""

from __future__ import annotations

from meshflow.health.conditions import condition, current, degraded, holds, progressing, spec, status, unseen, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def deployment(obj: Obj) -> Health:
    """Degraded once the progress deadline has passed."""
    if waiting := _not_seen(obj):
        return waiting
    deadline = condition(obj, "Progressing")
    if deadline and deadline.get("reason") == "ProgressDeadlineExceeded":
        return degraded(f"{_ready(obj)}; the progress deadline has passed: {why(deadline)}")
    wanted, counts = _wanted(obj), status(obj)
    total, updated = counts.get("replicas", 0), counts.get("updatedReplicas", 0)
    if holds(obj, "ReplicaFailure"):
        return progressing(f"{_ready(obj)}; pods are refused: {why(condition(obj, 'ReplicaFailure'))}")
    if updated < wanted:
        paused = ", and the rollout is paused" if spec(obj).get("paused") else ""
        return progressing(f"{updated} of {wanted} replicas updated{paused}")
    if total > updated:
        return progressing(f"{_ready(obj)}, {total - updated} old ones still to go")
    if counts.get("availableReplicas", 0) < wanted:
        return progressing(f"{_ready(obj)}, {counts.get('availableReplicas', 0)} available")
    if condition(obj, "Available") and not holds(obj, "Available"):
        return progressing(f"{_ready(obj)}; not available: {why(condition(obj, 'Available'))}")
    return current(_ready(obj))


def stateful_set(obj: Obj) -> Health:
    """With OnDelete the update waits for somebody to delete pods: only readiness counts."""
    if waiting := _not_seen(obj):
        return waiting
    wanted, counts = _wanted(obj), status(obj)
    strategy = spec(obj).get("updateStrategy") or {}
    if counts.get("readyReplicas", 0) < wanted:
        return progressing(_ready(obj))
    if counts.get("replicas", 0) > wanted:
        return progressing(f"{_ready(obj)}, {counts['replicas'] - wanted} too many")
    if strategy.get("type") == "OnDelete":
        return current(_ready(obj))
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    to_update, updated = max(0, wanted - partition), counts.get("updatedReplicas", 0)
    if updated < to_update:
        return progressing(f"{updated} of {to_update} replicas updated")
    if not partition and counts.get("updateRevision") != counts.get("currentRevision"):
        return progressing(f"{_ready(obj)}, the new revision is not yet the current one")
    return current(_ready(obj))


def daemon_set(obj: Obj) -> Health:
    """One pod on every node that should have one."""
    if waiting := _not_seen(obj):
        return waiting
    counts = status(obj)
    wanted, ready = counts.get("desiredNumberScheduled", 0), counts.get("numberReady", 0)
    told = f"{ready} of {wanted} nodes ready"
    if (spec(obj).get("updateStrategy") or {}).get("type") != "OnDelete":
        updated = counts.get("updatedNumberScheduled", 0)
        if updated < wanted:
            return progressing(f"{updated} of {wanted} nodes updated")
    if min(ready, counts.get("numberAvailable", 0)) < wanted:
        return progressing(told)
    return current(told)


def replica_set(obj: Obj) -> Health:
    """All wanted replicas available, and not more."""
    if waiting := _not_seen(obj):
        return waiting
    wanted, counts = _wanted(obj), status(obj)
    if holds(obj, "ReplicaFailure"):
        return progressing(f"{_ready(obj)}; pods are refused: {why(condition(obj, 'ReplicaFailure'))}")
    if counts.get("availableReplicas", 0) < wanted:
        return progressing(_ready(obj))
    if counts.get("replicas", 0) > wanted:
        return progressing(f"{_ready(obj)}, {counts['replicas'] - wanted} too many")
    return current(_ready(obj))


def _not_seen(obj: Obj) -> Health | None:
    if "observedGeneration" not in status(obj):
        return progressing("its controller has not looked at it yet")
    return unseen(obj)


def _wanted(obj: Obj) -> int:
    replicas = spec(obj).get("replicas")
    return 1 if replicas is None else int(replicas)


def _ready(obj: Obj) -> str:
    return f"{status(obj).get('readyReplicas', 0)} of {_wanted(obj)} replicas ready"
