"""The columns of pods: one word for all that may be going on in one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.api.tables import AGE, NAME, NONE, Column, ago

Obj = dict[str, Any]


def _sidecars(pod: Obj) -> set[str]:
    containers = pod["spec"].get("initContainers") or ()
    return {c["name"] for c in containers if c.get("restartPolicy") == "Always"}


def _states(pod: Obj, key: str) -> list[Obj]:
    return (pod.get("status") or {}).get(key) or []


def _counted(pod: Obj) -> list[Obj]:
    """The containers that READY and RESTARTS count: the main ones and the sidecars."""
    names = _sidecars(pod)
    return [
        *_states(pod, "containerStatuses"),
        *(s for s in _states(pod, "initContainerStatuses") if s["name"] in names),
    ]


def ready(pod: Obj, now: datetime) -> str:
    wanted = len(pod["spec"]["containers"]) + len(_sidecars(pod))
    return f"{sum(bool(s.get('ready')) for s in _counted(pod))}/{wanted}"


def restarts(pod: Obj, now: datetime) -> str:
    count = sum(s.get("restartCount", 0) for s in _counted(pod))
    ends = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for s in _counted(pod)]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({ago(last, now)} ago)" if count and last else str(count)


def status(pod: Obj, now: datetime) -> str:
    """Phase, or what keeps the pod from it: Init:0/1, PodInitializing, CrashLoopBackOff, Terminating …"""
    found = pod.get("status") or {}
    word = str(found.get("reason") or found.get("phase") or "Unknown")
    for condition in found.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            word = "SchedulingGated"
    initialising = _initialising(pod)
    word = initialising or _running(pod, word)
    if pod["metadata"].get("deletionTimestamp") and found.get("phase") not in ("Succeeded", "Failed"):
        return "Terminating"
    return word


def _initialising(pod: Obj) -> str:
    """The word of the first init container that is not done; empty when all are."""
    sidecars, states = _sidecars(pod), _states(pod, "initContainerStatuses")
    for number, container in enumerate(states):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended and ended.get("exitCode") == 0:
            continue
        if container["name"] in sidecars and container.get("started"):
            continue
        if ended:
            return f"Init:{ended.get('reason') or 'ExitCode:' + str(ended.get('exitCode'))}"
        if waiting.get("reason") not in (None, "", "PodInitializing", "ContainerCreating"):
            return f"Init:{waiting['reason']}"
        return f"Init:{number}/{len(pod['spec'].get('initContainers') or states)}"
    return ""


def _running(pod: Obj, word: str) -> str:
    running = False
    for container in reversed(_states(pod, "containerStatuses")):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            word = waiting["reason"]
        elif ended:
            word = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
        elif container.get("ready") and state.get("running"):
            running = True
    if word != "Completed" or not running:
        return word
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return "Running" if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) else "NotReady"


def readiness_gates(pod: Obj, now: datetime) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    if not gates:
        return NONE
    true = {c["type"] for c in (pod.get("status") or {}).get("conditions") or () if c["status"] == "True"}
    return f"{sum(g['conditionType'] in true for g in gates)}/{len(gates)}"


COLUMNS = (
    NAME,
    Column("Ready", ready),
    Column("Status", status),
    Column("Restarts", restarts),
    AGE,
    Column("IP", lambda pod, now: (pod.get("status") or {}).get("podIP") or NONE, priority=1),
    Column("Node", lambda pod, now: pod["spec"].get("nodeName") or NONE, priority=1),
    Column("Nominated Node", lambda pod, now: (pod.get("status") or {}).get("nominatedNodeName") or NONE, priority=1),
    Column("Readiness Gates", readiness_gates, priority=1),
)
