"""DaemonSets: one pod on each node, and there is one node."""

from __future__ import annotations

from typing import Any

from sandbox import selectors
from sandbox.controllers import events, owners, pods, revisions
from sandbox.controllers.base import Controller, Watched, own_key, owner_keys

Obj = dict[str, Any]

GENERATION = "pod-template-generation"


class DaemonSets(Controller):
    watches = (Watched("apps/v1", "DaemonSet", own_key), Watched("v1", "Pod", owner_keys("DaemonSet")))
    workers = 5  # a slow admission webhook must hold up only those whose pods it is asked about
    node: Obj

    def __init__(self, *args: Any, node: Obj) -> None:
        super().__init__(*args)
        self.node = node
        self.recorder = events.Recorder(self.client, self.clock, "daemonset-controller")

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        found = await self.client.get("apps/v1", "DaemonSet", name, namespace)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        await revisions.keep(self.client, found)
        mark = revisions.template_hash(found)
        selector = found["spec"]["template"]["spec"].get("nodeSelector") or {}
        wanted = int(selectors.includes(self.node["labels"], selector))
        await self._step(found, mark, wanted, await self._pods(found))
        await self._write_status(found, mark, wanted, await self._pods(found))
        return None

    async def _pods(self, owner: Obj) -> list[Obj]:
        listed = await self.client.list("v1", "Pod", owner["metadata"]["namespace"])
        return await owners.claim(self.client, owner, listed)

    async def _step(self, owner: Obj, mark: str, wanted: int, present: list[Obj]) -> None:
        if not present and wanted:
            pod = pods.from_template(owner["spec"]["template"], owner, owners.reference(owner))
            marks = {revisions.LABEL: mark, GENERATION: str(owner["metadata"]["generation"])}
            pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **marks}
            made = await self.client.create(pod)
            self.recorder.normal(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        on_delete = (owner["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
        for pod in present:
            old = selectors.labels_of(pod).get(revisions.LABEL) != mark and not on_delete
            if (old or not wanted) and not pods.terminating(pod):
                metadata = pod["metadata"]
                await self.client.delete("v1", "Pod", metadata["name"], metadata["namespace"], uid=metadata["uid"])
                self.recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    async def _write_status(self, owner: Obj, mark: str, wanted: int, present: list[Obj]) -> None:
        alive = [pod for pod in present if not pods.terminating(pod)]
        ready = sum(map(pods.ready, alive))
        updated = sum(selectors.labels_of(pod).get(revisions.LABEL) == mark for pod in alive)
        optional = {
            "updatedNumberScheduled": updated,
            "numberAvailable": ready,
            "numberUnavailable": wanted - ready,
        }
        status = {
            "observedGeneration": owner["metadata"]["generation"],
            "currentNumberScheduled": len(alive),
            "desiredNumberScheduled": wanted,
            "numberMisscheduled": 0,
            "numberReady": ready,
            **{key: value for key, value in optional.items() if value > 0},
        }
        where = (owner["metadata"]["name"], owner["metadata"]["namespace"])
        latest = await self.client.get("apps/v1", "DaemonSet", *where)
        if latest is not None and latest.get("status") != status:
            await self.client.update({**latest, "status": status}, subresource="status")
