"""The scheduler: binds each pod to the one node, or says why it cannot."""

from __future__ import annotations

from typing import Any

from sandbox import selectors
from sandbox.controllers import conditions, events, pods
from sandbox.controllers.base import Controller, Watched

Obj = dict[str, Any]


class Scheduler(Controller):
    watches = (Watched("v1", "Pod"),)
    node: Obj  # metadata of the node: name and labels

    def __init__(self, *args: Any, node: Obj) -> None:
        super().__init__(*args)
        self.node = node
        self.recorder = events.Recorder(self.client, self.clock, "default-scheduler")

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        pod = await self.client.get("v1", "Pod", name, namespace)
        if pod is None or pod["spec"].get("nodeName") or pod["spec"].get("schedulingGates") or not pods.active(pod):
            return None
        wanted = pod["spec"].get("nodeSelector") or {}
        if not selectors.includes(self.node["labels"], wanted):
            await self._refuse(pod, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")
            return None
        status = dict(pod.get("status") or {})
        present = status.get("conditions") or []
        status["conditions"] = conditions.put(present, "PodScheduled", "True", now=self.clock.timestamp())
        bound = {**pod, "spec": {**pod["spec"], "nodeName": self.node["name"]}, "status": status}
        await self.client.update(bound, subresource="binding")
        message = f"Successfully assigned {namespace}/{name} to {self.node['name']}"
        self.recorder.normal(pod, "Scheduled", message)
        return None

    async def _refuse(self, pod: Obj, message: str) -> None:
        status = dict(pod.get("status") or {})
        present = conditions.find(status.get("conditions"), "PodScheduled")
        if present and present.get("message") == message:
            return
        found, now = status.get("conditions") or [], self.clock.timestamp()
        words = ("PodScheduled", "False")
        status["conditions"] = conditions.put(found, *words, now=now, reason="Unschedulable", message=message)
        await self.client.update({**pod, "status": status}, subresource="status")
        self.recorder.warning(pod, "FailedScheduling", message)
