"""Autoscalers and disruption budgets.

Neither holds up an apply: a cluster without a metrics server, or a Flagger target that is scaled to zero, would hold it
up for ever. What does not work is said in the message.
"""

from __future__ import annotations

from meshflow.health.conditions import condition, current, holds, progressing, spec, status, unseen, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def autoscaler(obj: Obj) -> Health:
    """Current with the replicas it keeps; its message says when it cannot scale."""
    bounds = f"{spec(obj).get('minReplicas', 1)} to {spec(obj).get('maxReplicas', '?')}"
    told = f"{status(obj).get('currentReplicas', 0)} replicas within {bounds}"
    for name in ("AbleToScale", "ScalingActive"):
        if holds(obj, name, value="False"):
            return current(f"{told}; does not scale: {why(condition(obj, name))}")
    return current(told)


def disruption_budget(obj: Obj) -> Health:
    """Current once counted; its message says how many pods may be evicted."""
    if waiting := unseen(obj):
        return waiting
    if "observedGeneration" not in status(obj):
        return progressing("its pods are not counted yet")
    counts = status(obj)
    return current(
        f"{counts.get('currentHealthy', 0)} healthy pods, {counts.get('desiredHealthy', 0)} needed, "
        f"{counts.get('disruptionsAllowed', 0)} may be evicted"
    )
