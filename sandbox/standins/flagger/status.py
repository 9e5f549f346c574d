"""The status of a Canary: phases, the one condition, and the pure changes to it.

Some of these changes are surprising, and kept so, since whoever reads a Canary must cope with them:

- entering WaitingPromotion sets `canaryWeight` to 0 while the VirtualService still splits;
- every sync writes the hash of the target as it is *now* to `lastAppliedSpec`, in phase Failed too, so that a
  revision which arrives there can be swallowed;
- a rollback sets `failedChecks` back to 0.
"""

from __future__ import annotations

import copy
from enum import StrEnum
from typing import Any

Obj = dict[str, Any]


class Phase(StrEnum):
    """Where a Canary stands. NEW is one that Flagger has not seen yet."""

    NEW = ""
    INITIALIZING = "Initializing"  # the primary is being made
    INITIALIZED = "Initialized"  # the primary serves; nothing was analysed
    WAITING = "Waiting"  # a new revision waits for confirm-rollout
    PROGRESSING = "Progressing"  # the analysis is under way
    WAITING_PROMOTION = "WaitingPromotion"  # the analysis passed and waits for confirm-promotion
    PROMOTING = "Promoting"  # the primary rolls to the new revision
    FINALISING = "Finalising"  # traffic is back on the primary
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"  # deleted, and reverting
    TERMINATED = "Terminated"


STARTING = frozenset({Phase.NEW, Phase.INITIALIZING})
IN_FLIGHT = frozenset(
    {Phase.PROGRESSING, Phase.WAITING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING},
)
_KEEPS_COUNTS = frozenset({Phase.PROGRESSING, Phase.WAITING, Phase.PROMOTING})

# phase: status and message of the condition `Promoted`; {kind} is the target's
CONDITIONS: dict[Phase, tuple[str, str]] = {
    Phase.INITIALIZING: ("Unknown", "New {kind} detected, starting initialization."),
    Phase.INITIALIZED: ("True", "{kind} initialization completed."),
    Phase.WAITING: ("Unknown", "Waiting for approval."),
    Phase.WAITING_PROMOTION: ("Unknown", "Waiting for approval."),
    Phase.PROGRESSING: ("Unknown", "New revision detected, progressing canary analysis."),
    Phase.PROMOTING: ("Unknown", "Canary analysis completed, starting primary rolling update."),
    Phase.FINALISING: ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    Phase.SUCCEEDED: ("True", "Canary analysis completed successfully, promotion finished."),
    Phase.FAILED: ("False", "Canary analysis failed, {kind} scaled to zero."),
    Phase.TERMINATING: ("Unknown", "New {kind} detected, starting initialization."),
    Phase.TERMINATED: ("Unknown", "New {kind} detected, starting initialization."),
}


def phase_of(status: Obj) -> Phase:
    return Phase(status.get("phase") or "")


def initializing(status: Obj, *, kind: str, now: str) -> Obj:
    """The status of a Canary that was just found."""
    return _stamped(_filled(status), Phase.INITIALIZING, kind=kind, now=now)


def synced(
    status: Obj,
    phase: Phase,
    *,
    kind: str,
    spec_hash: str,
    configs: dict[str, str],
    now: str,
    weight: int = 0,
    failed: int = 0,
    iterations: int = 0,
) -> Obj:
    """The status after a sync: everything is set, the hash and the configs are those of the target at this moment."""
    changed = _filled(status)
    changed.update(canaryWeight=weight, failedChecks=failed, iterations=iterations)
    changed.update(lastAppliedSpec=spec_hash, trackedConfigs=dict(sorted(configs.items())))
    if phase == Phase.INITIALIZED:
        changed["lastPromotedSpec"] = spec_hash
    return _stamped(changed, phase, kind=kind, now=now)


def entered(status: Obj, phase: Phase, *, kind: str, iterations: int, now: str) -> Obj:
    """The status after a change of phase alone. `iterations` is what the analysis asks for."""
    changed = _filled(status)
    if phase not in _KEEPS_COUNTS:
        changed.update(canaryWeight=0, iterations=iterations - 1 if phase == Phase.WAITING_PROMOTION else 0)
    if phase in {Phase.INITIALIZED, Phase.SUCCEEDED} and "lastAppliedSpec" in changed:
        changed["lastPromotedSpec"] = changed["lastAppliedSpec"]
    return _stamped(changed, phase, kind=kind, now=now)


def counted(status: Obj, field: str, value: int, *, now: str) -> Obj:
    """The status with one number changed: failedChecks, canaryWeight or iterations."""
    return {**_filled(status), field: value, "lastTransitionTime": now}


def _filled(status: Obj) -> Obj:
    return {"phase": "", "failedChecks": 0, "canaryWeight": 0, "iterations": 0, **copy.deepcopy(status)}


def _stamped(status: Obj, phase: Phase, *, kind: str, now: str) -> Obj:
    verdict, message = CONDITIONS[phase]
    before = next((c for c in status.get("conditions") or () if c["type"] == "Promoted"), None)
    status.update(phase=str(phase), lastTransitionTime=now)
    if before and (before["status"], before["reason"]) == (verdict, str(phase)):
        return status
    since = before["lastTransitionTime"] if before and before["status"] == verdict else now
    condition = {
        "type": "Promoted",
        "status": verdict,
        "reason": str(phase),
        "message": message.format(kind=kind),
        "lastUpdateTime": now,
        "lastTransitionTime": since,
    }
    return {**status, "conditions": [condition]}
