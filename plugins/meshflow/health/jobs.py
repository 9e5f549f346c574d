"""Jobs: current when complete. (kstatus calls a running Job current; we wait for what it does.)"""

from __future__ import annotations

from meshflow.health.conditions import condition, current, degraded, holds, progressing, spec, status, why
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def job(obj: Obj) -> Health:
    """A failed Job is degraded: it does not start again by itself."""
    done, wanted = status(obj).get("succeeded", 0), spec(obj).get("completions") or 1
    if holds(obj, "Complete"):
        return current(f"complete, {done} of {wanted} pods succeeded")
    if holds(obj, "Failed"):
        return degraded(f"failed after {status(obj).get('failed', 0)} pods: {why(condition(obj, 'Failed'))}")
    if spec(obj).get("suspend"):
        return progressing("suspended")
    return progressing(f"{done} of {wanted} pods succeeded, {status(obj).get('active', 0)} running")
