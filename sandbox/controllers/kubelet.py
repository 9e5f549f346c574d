"""The node's agent: makes a bound pod run, reports on it, and lets it go."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.controllers import conditions, events, pod_events, pod_status, pods
from sandbox.controllers.base import Controller, Watched
from sandbox.controllers.behaviour import Behaviour, Behaviours
from sandbox.controllers.runs import Run

Obj = dict[str, Any]

NODE_ADDRESS = "172.18.0.2"
POD_NETWORK = "10.244"
TO_BE_INJECTED = "auto"  # the image of a gateway's template until the injector has replaced it


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
        self.teller = pod_events.Teller(events.Recorder(self.client, self.clock, "kubelet", host=node))
        self.behaviours = Behaviours()
        self.behaviours.changed = self.look_at_everything
        self.image_id: Callable[[str], str] = made_up_image_id
        self.pull_error: Callable[[str], str] = lambda image: ""
        self._runs: dict[str, Run] = {}  # uid → run
        self._addresses = itertools.count()

    def look_at_everything(self) -> None:
        """Something has changed that no event tells."""
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
        wait = run.advance(self.teller.tell)
        status = self._status(run)
        if status != pod.get("status"):
            await self.client.update({**pod, "status": status}, subresource="status")
        return wait

    def _run(self, pod: Obj) -> Run:
        uid = pod["metadata"]["uid"]
        if uid not in self._runs:
            self._runs[uid] = Run(pod, self._address(pod), self.clock, self._behaviour)
        self._runs[uid].pod = pod
        return self._runs[uid]

    def _address(self, pod: Obj) -> str:
        if pod["spec"].get("hostNetwork"):
            return NODE_ADDRESS
        taken = {run.address for run in self._runs.values()}
        addresses = (f"{POD_NETWORK}.{n // 250 % 250}.{n % 250 + 2}" for n in self._addresses)
        return next(address for address in addresses if address not in taken)

    def _behaviour(self, pod: Obj, spec: Obj) -> Behaviour:
        """How this container behaves by the rules in force, and whether its image can be had."""
        metadata, image = pod["metadata"], spec["image"]
        found = self.behaviours.of(metadata["namespace"], metadata["name"], spec["name"], image)
        if found.pull_error:
            return found
        if image == TO_BE_INJECTED:
            return replace(found, pull_error="pull access denied, repository does not exist")
        refused = self.pull_error(image)
        return replace(found, pull_error=refused) if refused else found

    async def _stop(self, run: Run) -> float | None:
        """Let a terminating pod go when its containers have had the time to stop."""
        metadata, now = run.pod["metadata"], self.clock.monotonic()
        if run.released:
            return None
        if run.stop_at is None:
            grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
            longest = max((c.behaviour.stop for c in run.containers.values()), default=0.0)
            run.stop_at = now + self.clock.scaled(min(grace, longest))
            self.teller.stopping(run)
        if now < run.stop_at:
            return (run.stop_at - now) * self.clock.speed
        run.released = True
        where = (metadata["name"], metadata["namespace"])
        await self.client.delete("v1", "Pod", *where, uid=metadata["uid"], grace=0)
        return None

    def _status(self, run: Run) -> Obj:
        init, main = run.seen(self.image_id)
        gates = run.pod["spec"].get("readinessGates") or ()
        open_gates = all(conditions.is_true(run.pod, gate["conditionType"]) for gate in gates)
        node = pod_status.Place(NODE_ADDRESS, run.address, self.clock.timestamp())
        return pod_status.report(run.pod, init, main, at=node, gates=open_gates)
