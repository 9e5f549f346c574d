"""What a node reports about a pod, from what its containers do. Pure but for the `Stamp` of an age."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sandbox.controllers import conditions
from sandbox.controllers.life import Does, Moment

Obj = dict[str, Any]
Stamp = Callable[[float], str]  # an age of the container → metav1.Time


class Seen(NamedTuple):
    """One container, as the node sees it; `moment` is None before its turn."""

    spec: Obj
    moment: Moment | None
    stamp: Stamp
    image_id: str
    restarts: int = 0  # those before the present life
    stopped: bool = False  # a sidecar whose pod has ended

    @property
    def sidecar(self) -> bool:
        return self.spec.get("restartPolicy") == "Always"

    @property
    def initialised(self) -> bool:
        """As an init container it no longer keeps the others waiting."""
        if self.moment is None:
            return False
        return self.stopped or (self.moment.started if self.sidecar else self.finished)

    @property
    def finished(self) -> bool:
        return self.moment is not None and self.moment.does is Does.ENDED


class Place(NamedTuple):
    """Where and when a pod is reported on."""

    node: str
    address: str
    now: str


def report(pod: Obj, init: Sequence[Seen], main: Sequence[Seen], *, at: Place, gates: bool) -> Obj:
    """The whole status of a pod that has a node. `gates`: its readiness gates are open."""
    before, ended = pod.get("status") or {}, all(seen.finished for seen in main)
    status: Obj = {
        "startTime": at.now,
        **{key: before[key] for key in ("qosClass", "startTime", "conditions") if key in before},
        "phase": phase(pod, init, main),
        "hostIP": at.node,
        "hostIPs": [{"ip": at.node}],
    }
    sandbox = any(seen.moment and seen.moment.does is not Does.PULLING for seen in [*init, *main])
    if sandbox:
        status |= {"podIP": at.address, "podIPs": [{"ip": at.address}]}
    if init:
        status["initContainerStatuses"] = [container_status(seen, pod=pod, init=True) for seen in init]
    status["containerStatuses"] = [container_status(seen, pod=pod, init=False) for seen in main]
    sidecars = [s for s, seen in zip(status.get("initContainerStatuses", ()), init, strict=True) if seen.sidecar]
    initialised = all(seen.initialised for seen in init)
    ready = initialised and gates and all(s["ready"] for s in [*status["containerStatuses"], *sidecars])
    facts = {"initialised": initialised, "ready": ready, "sandbox": sandbox and not ended}
    status["conditions"] = with_conditions(status, now=at.now, **facts)
    return status


def container_status(seen: Seen, *, pod: Obj, init: bool) -> Obj:
    """One entry of containerStatuses or initContainerStatuses."""
    moment = seen.moment
    follows = not init and bool(pod["spec"].get("initContainers"))
    running = moment is not None and moment.does is Does.RUNNING and not seen.stopped
    status: Obj = {
        "name": seen.spec["name"],
        "image": seen.spec["image"],
        "imageID": seen.image_id if _has_image(moment) else "",
        "ready": running and bool(moment and moment.ready),
        "started": running,
        "restartCount": seen.restarts + (moment.restarts if moment else 0),
        "state": _state(seen, pod=pod, waits="PodInitializing" if follows else "ContainerCreating"),
        "lastState": _last_state(seen),
    }
    if init and not seen.sidecar:
        status["ready"] = seen.finished and bool(moment and moment.exit_code == 0)
    if _has_image(moment) and moment and moment.does is not Does.STARTING:
        status["containerID"] = "containerd://" + _digits(pod, seen)
    return status


def _has_image(moment: Moment | None) -> bool:
    return moment is not None and moment.does not in (Does.PULLING, Does.PULL_FAILED, Does.PULL_BACKOFF)


def _digits(pod: Obj, seen: Seen) -> str:
    """64 hexadecimal digits that differ from run to run."""
    uid = str(pod["metadata"]["uid"]).replace("-", "")
    turn = seen.restarts + (seen.moment.restarts if seen.moment else 0)
    return str(uid + seen.spec["name"].encode().hex() + f"{turn:04x}").ljust(64, "0")[:64]


def _state(seen: Seen, *, pod: Obj, waits: str) -> Obj:
    moment, image = seen.moment, seen.spec["image"]
    if moment is None:
        return {"waiting": {"reason": "PodInitializing"}}
    if seen.stopped:
        return {"terminated": _terminated(seen, (moment.since, moment.since), 0)}
    match moment.does:
        case Does.RUNNING:
            return {"running": {"startedAt": seen.stamp(moment.since)}}
        case Does.ENDED:
            return {"terminated": _terminated(seen, moment.last_run or (0.0, 0.0), moment.exit_code)}
        case Does.BACKOFF:
            where = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
            message = f"back-off {moment.backoff:.0f}s restarting failed container={seen.spec['name']} pod={where}"
            return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        case Does.PULL_FAILED:
            return {"waiting": {"reason": "ErrImagePull", "message": f'failed to pull image "{image}"'}}
        case Does.PULL_BACKOFF:
            return {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}}
    return {"waiting": {"reason": waits}}


def _last_state(seen: Seen) -> Obj:
    moment = seen.moment
    if moment is None or moment.last_run is None or moment.does is Does.ENDED:
        return {}
    return {"terminated": _terminated(seen, moment.last_run, moment.exit_code)}


def _terminated(seen: Seen, run: tuple[float, float], code: int) -> Obj:
    times = {"startedAt": seen.stamp(run[0]), "finishedAt": seen.stamp(run[1])}
    return {"exitCode": code, "reason": "Error" if code else "Completed", **times}


def phase(pod: Obj, init: Sequence[Seen], main: Sequence[Seen]) -> str:
    """Pending, Running, Succeeded or Failed."""
    if pod["spec"].get("restartPolicy") == "Never" and any(
        s.finished and s.moment and s.moment.exit_code for s in init
    ):
        return "Failed"
    if all(seen.finished for seen in main):
        failed = any(seen.moment and seen.moment.exit_code for seen in main)
        return "Failed" if failed else "Succeeded"
    begun = [s for s in main if s.moment and s.moment.does in (Does.RUNNING, Does.ENDED, Does.BACKOFF)]
    return "Running" if begun else "Pending"


def with_conditions(status: Obj, *, initialised: bool, ready: bool, sandbox: bool, now: str) -> list[Obj]:
    """The conditions of a pod that has a node."""
    finished = status["phase"] in ("Succeeded", "Failed")
    unready = " ".join(s["name"] for s in status["containerStatuses"] if not s["ready"])
    waiting = " ".join(s["name"] for s in status.get("initContainerStatuses", ()) if not (s["ready"] or s["started"]))
    why, text = "ContainersNotReady", f"containers with unready status: [{unready}]"
    if finished:
        why, text = "PodCompleted", ""
    found = conditions.put(status.get("conditions") or [], "PodReadyToStartContainers", _word(sandbox), now=now)
    put = partial(conditions.put, now=now)
    if initialised:
        found = put(found, "Initialized", "True")
    else:
        message = f"containers with incomplete status: [{waiting}]"
        found = put(found, "Initialized", "False", reason="ContainersNotInitialized", message=message)
    for kind in ("Ready", "ContainersReady"):
        found = put(found, kind, "True") if ready else put(found, kind, "False", reason=why, message=text or None)
    return put(found, "PodScheduled", "True")


def _word(value: bool) -> str:
    return "True" if value else "False"
