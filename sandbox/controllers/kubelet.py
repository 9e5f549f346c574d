"""The node's agent: makes a bound pod run, reports on it, and lets it go.

It keeps one `Run` per pod: when the node began with each container, and with which behaviour. Everything else is worked
out from the ages at each look, so a pod is looked at only when something about it changes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from sandbox.controllers import conditions, events, life, pod_status, pods
from sandbox.controllers.base import Controller, Watched
from sandbox.controllers.behaviour import Behaviour, Behaviours
from sandbox.controllers.life import Does, Moment
from sandbox.controllers.pod_status import Seen

Obj = dict[str, Any]

NODE_ADDRESS = "172.18.0.2"
POD_NETWORK = "10.244"
PROXY = "istio-proxy"
TO_BE_INJECTED = "auto"  # the image of a gateway's template until the injector has replaced it


@dataclass
class Container:
    """A container that the node has begun with."""

    behaviour: Behaviour
    began: float  # on the monotonic clock
    restarts: int = 0
    told: Does | None = None  # what its last event was about
    told_restarts: int = 0


@dataclass
class Run:
    """A pod on the node."""

    pod: Obj
    address: str
    containers: dict[str, Container] = field(default_factory=dict)
    stop_at: float | None = None  # on the monotonic clock, once it is being deleted
    released: bool = False


def made_up_image_id(image: str) -> str:
    """repository@digest: the digest in the reference, or one made from the text."""
    name, _, digest = image.partition("@")
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return f"{repository}@{digest or 'sha256:' + hashlib.sha256(image.encode()).hexdigest()}"


class Kubelet(Controller):
    """`behaviours` may be changed at any time; `image_id` and `pull_error` may be replaced by what a registry says."""

    watches = (Watched("v1", "Pod"),)

    def __init__(self, *args: Any, node: str) -> None:
        super().__init__(*args)
        self.node = node
        self.recorder = events.Recorder(self.client, self.clock, "kubelet", host=node)
        self.behaviours = Behaviours()
        self.behaviours.changed = self.look_at_everything
        self.image_id: Callable[[str], str] = made_up_image_id
        self.pull_error: Callable[[str], str] = lambda image: ""
        self._runs: dict[str, Run] = {}  # uid → run
        self._addresses = itertools.count(2)

    def look_at_everything(self) -> None:
        for run in self._runs.values():
            self.wake(run.pod["metadata"]["namespace"], run.pod["metadata"]["name"])

    def lost(self, row: Watched, obj: Obj) -> None:
        self._runs.pop(obj["metadata"]["uid"], None)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        pod = await self.client.get("v1", "Pod", name, namespace)
        if pod is None or pod["spec"].get("nodeName") != self.node:
            return None
        run = self._run(pod)
        if pods.terminating(pod):
            return await self._stop(run)
        if pods.phase(pod) in pods.FINISHED:
            return None
        wait = self._advance(run)
        status = self._status(run)
        if status != pod.get("status"):
            await self.client.update({**pod, "status": status}, subresource="status")
        return wait

    def _run(self, pod: Obj) -> Run:
        uid = pod["metadata"]["uid"]
        if uid not in self._runs:
            self._runs[uid] = Run(pod, self._address(pod))
        self._runs[uid].pod = pod
        return self._runs[uid]

    def _address(self, pod: Obj) -> str:
        if pod["spec"].get("hostNetwork"):
            return NODE_ADDRESS
        taken = {run.address for run in self._runs.values()}
        addresses = (f"{POD_NETWORK}.{n // 250 % 250}.{n % 250 + 2}" for n in self._addresses)
        return next(address for address in addresses if address not in taken)

    async def _stop(self, run: Run) -> float | None:
        """Let a terminating pod go when its containers have had the time to stop."""
        metadata, now = run.pod["metadata"], self.clock.monotonic()
        if run.released:
            return None
        if run.stop_at is None:
            grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
            longest = max((c.behaviour.stop for c in run.containers.values()), default=0.0)
            run.stop_at = now + self.clock.scaled(min(grace, longest))
            for name in run.containers:
                field_path = f"spec.containers{{{name}}}"
                self.recorder.normal(run.pod, "Killing", f"Stopping container {name}", field=field_path)
        if now < run.stop_at:
            return (run.stop_at - now) * self.clock.speed
        run.released = True
        where = (metadata["name"], metadata["namespace"])
        await self.client.delete("v1", "Pod", *where, uid=metadata["uid"], grace=0)
        return None

    def _advance(self, run: Run) -> float | None:
        """Begin with the containers whose turn it is. Returns when the next thing happens."""
        waits: list[float] = []
        for spec in run.pod["spec"].get("initContainers") or ():
            moment = self._look(run, spec, waits)
            done = moment.does is Does.ENDED and moment.exit_code == 0
            if not done and not (spec.get("restartPolicy") == "Always" and moment.started):
                return min(waits, default=None)
        for spec in run.pod["spec"]["containers"]:
            self._look(run, spec, waits)
        return min(waits, default=None)

    def _look(self, run: Run, spec: Obj, waits: list[float]) -> Moment:
        container = run.containers.get(spec["name"])
        if container is None:
            behaviour = self._behaviour(run.pod, spec)
            container = run.containers[spec["name"]] = Container(behaviour, self.clock.monotonic())
        self._adopt_faults(run, spec, container)
        moment = self._moment(run, spec, container)
        if moment.next is not None:
            waits.append(max(0.001, moment.next - self._age(container)))
        self._tell(run, spec, container, moment)
        return moment

    def _behaviour(self, pod: Obj, spec: Obj) -> Behaviour:
        metadata = pod["metadata"]
        found = self.behaviours.of(metadata["namespace"], metadata["name"], spec["name"], spec["image"])
        refused = "" if found.pull_error else self._refused(spec["image"])
        return replace(found, pull_error=refused) if refused else found

    def _refused(self, image: str) -> str:
        """Why the image cannot be pulled; empty when it can."""
        if image == TO_BE_INJECTED:
            return "pull access denied, repository does not exist or may require authorization"
        return self.pull_error(image)

    def _adopt_faults(self, run: Run, spec: Obj, container: Container) -> None:
        """A running container takes a new fault over from now on, or gets well by being started again."""
        wanted = self._behaviour(run.pod, spec)
        if wanted.faults == container.behaviour.faults:
            return
        moment = self._moment(run, spec, container)
        if moment.does is Does.ENDED:
            return
        if moment.started and wanted.pull_error:
            wanted = replace(wanted, pull_error="")
            if wanted.faults == container.behaviour.faults:
                return
        container.restarts += moment.restarts
        if moment.does is Does.BACKOFF:
            container.restarts += 1
        crash_changed = wanted.crash_after != container.behaviour.crash_after
        if not moment.started:
            container.began = self.clock.monotonic()
        elif crash_changed:
            container.began = self.clock.monotonic() - self.clock.scaled(wanted.pull + wanted.start)
            wanted = replace(wanted, ready=0.0)
        container.behaviour = wanted

    def _age(self, container: Container) -> float:
        return (self.clock.monotonic() - container.began) * self.clock.speed

    def _moment(self, run: Run, spec: Obj, container: Container) -> Moment:
        pod_spec = run.pod["spec"]
        policy = pod_spec.get("restartPolicy", "Always")
        restarted = policy != "Never" or spec.get("restartPolicy") == "Always"
        return life.at(
            container.behaviour, self._age(container), lasts=_lasts(run, spec, container), restarted=restarted
        )

    def _tell(self, run: Run, spec: Obj, container: Container, moment: Moment) -> None:
        """The events of what is new about a container."""
        turn = container.restarts + moment.restarts
        if (moment.does, turn) == (container.told, container.told_restarts):
            return
        image, name, tell = spec["image"], spec["name"], self.recorder
        init = spec in (run.pod["spec"].get("initContainers") or ())
        where = f"spec.{'initContainers' if init else 'containers'}{{{name}}}"
        if moment.does is Does.PULLING:
            tell.normal(run.pod, "Pulling", f'Pulling image "{image}"', field=where)
        elif moment.does in (Does.RUNNING, Does.ENDED) and container.told is not Does.RUNNING:
            present = f'Container image "{image}" already present on machine'
            words = present if turn else f'Successfully pulled image "{image}"'
            tell.normal(run.pod, "Pulled", words, field=where)
            tell.normal(run.pod, "Created", f"Container created: {name}", field=where)
            tell.normal(run.pod, "Started", f"Container started: {name}", field=where)
        elif moment.does is Does.PULL_FAILED:
            why = container.behaviour.pull_error
            tell.warning(run.pod, "Failed", f'Failed to pull image "{image}": {why}', field=where)
            tell.warning(run.pod, "Failed", "Error: ErrImagePull", field=where)
        elif moment.does is Does.PULL_BACKOFF:
            tell.normal(run.pod, "BackOff", f'Back-off pulling image "{image}"', field=where)
            tell.warning(run.pod, "Failed", "Error: ImagePullBackOff", field=where)
        elif moment.does is Does.BACKOFF:
            metadata = run.pod["metadata"]
            full = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            message = f"Back-off restarting failed container {name} in pod {full}"
            tell.warning(run.pod, "BackOff", message, field=where)
        container.told, container.told_restarts = moment.does, turn

    def _status(self, run: Run) -> Obj:
        pod, spec, now = run.pod, run.pod["spec"], self.clock.timestamp()
        main = [self._seen(run, c) for c in spec["containers"]]
        ended = all(seen.finished for seen in main)
        init = [self._seen(run, c, ended=ended) for c in spec.get("initContainers") or ()]
        initialised = all(_initialised(seen) for seen in init)
        before = pod.get("status") or {}
        status: Obj = {
            **{key: before[key] for key in ("qosClass", "startTime", "conditions") if key in before},
            "phase": pod_status.phase(pod, init, main),
            "hostIP": NODE_ADDRESS,
            "hostIPs": [{"ip": NODE_ADDRESS}],
        }
        status.setdefault("startTime", now)
        sandbox = any(seen.moment and seen.moment.does is not Does.PULLING for seen in [*init, *main])
        if sandbox:
            status |= {"podIP": run.address, "podIPs": [{"ip": run.address}]}
        told = partial(pod_status.container_status, pod=pod)
        if init:
            status["initContainerStatuses"] = [told(seen, init=True) for seen in init]
        status["containerStatuses"] = [told(seen, init=False) for seen in main]
        sidecars = [s for s, seen in zip(status.get("initContainerStatuses", ()), init, strict=True) if seen.sidecar]
        ready = initialised and all(s["ready"] for s in [*status["containerStatuses"], *sidecars]) and self._gates(pod)
        facts = {"initialised": initialised, "ready": ready, "sandbox": sandbox and not ended}
        status["conditions"] = pod_status.with_conditions(status, now=now, **facts)
        return status

    def _gates(self, pod: Obj) -> bool:
        return all(conditions.is_true(pod, g["conditionType"]) for g in pod["spec"].get("readinessGates") or ())

    def _seen(self, run: Run, spec: Obj, *, ended: bool = False) -> Seen:
        container = run.containers.get(spec["name"])
        moment = self._moment(run, spec, container) if container else None
        stopped = ended and spec.get("restartPolicy") == "Always"

        def stamp(age: float) -> str:
            if container is None:
                return self.clock.timestamp()
            ago = (self._age(container) - age) / self.clock.speed
            return (self.clock.now() - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")

        restarts = container.restarts if container else 0
        return Seen(spec, moment, stamp, self.image_id(spec["image"]), restarts, stopped)


def _initialised(seen: Seen) -> bool:
    if seen.moment is None:
        return False
    return seen.moment.started if seen.sidecar and not seen.stopped else seen.finished or seen.stopped


def _lasts(run: Run, spec: Obj, container: Container) -> float | None:
    """How long a container runs before it ends by itself; None: it stays.

    A proxy that is an ordinary container never ends, which is why a Job with one does not complete.
    """
    pod_spec = run.pod["spec"]
    if spec in (pod_spec.get("initContainers") or ()):
        return None if spec.get("restartPolicy") == "Always" else container.behaviour.init
    if pod_spec.get("restartPolicy", "Always") == "Always" or spec["name"] == PROXY:
        return None
    return container.behaviour.run
