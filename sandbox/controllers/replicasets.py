"""ReplicaSets: keep as many pods as wanted."""

from __future__ import annotations

from typing import Any

from sandbox import selectors
from sandbox.api.errors import ApiError
from sandbox.controllers import conditions, events, owners, pods
from sandbox.controllers.base import Controller, Watched, own_key, owner_keys

Obj = dict[str, Any]


class ReplicaSets(Controller):
    watches = (Watched("apps/v1", "ReplicaSet", own_key), Watched("v1", "Pod", owner_keys("ReplicaSet")))
    workers = 5  # a slow admission webhook must hold up only those whose pods it is asked about

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorder = events.Recorder(self.client, self.clock, "replicaset-controller")

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        replica_set = await self.client.get("apps/v1", "ReplicaSet", name, namespace)
        if replica_set is None:
            return None
        labels = (replica_set["spec"].get("selector") or {}).get("matchLabels")
        found = await self.client.list("v1", "Pod", namespace, labels=labels)
        own = [pod for pod in await owners.claim(self.client, replica_set, found) if pods.active(pod)]
        failure = None
        if not replica_set["metadata"].get("deletionTimestamp"):
            failure = await self._scale(replica_set, own)
        wait = await self._write_status(replica_set, failure)
        if failure is not None:
            raise failure
        return wait

    async def _scale(self, replica_set: Obj, own: list[Obj]) -> ApiError | None:
        """Create or delete the difference. Returns why no more pods could be created."""
        missing = replica_set["spec"].get("replicas", 1) - len(own)
        for _ in range(missing):
            try:
                await self._create_pod(replica_set)
            except ApiError as error:
                self.recorder.warning(replica_set, "FailedCreate", f"Error creating: {error.message}")
                return error
        for pod in pods.by_dispensability(own)[:-missing] if missing < 0 else ():
            metadata = pod["metadata"]
            await self.client.delete("v1", "Pod", metadata["name"], metadata["namespace"], uid=metadata["uid"])
            self.recorder.normal(replica_set, "SuccessfulDelete", f"Deleted pod: {metadata['name']}")
        return None

    async def _create_pod(self, replica_set: Obj) -> None:
        template, owner = replica_set["spec"]["template"], owners.reference(replica_set)
        pod = await self.client.create(pods.from_template(template, replica_set, owner))
        self.recorder.normal(replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

    async def _write_status(self, replica_set: Obj, failure: ApiError | None) -> float | None:
        """Write the counts where they changed; returns when the next pod will have been ready for long enough."""
        metadata = replica_set["metadata"]
        labels = (replica_set["spec"].get("selector") or {}).get("matchLabels")
        found = await self.client.list("v1", "Pod", metadata["namespace"], labels=labels)
        own = [pod for pod in found if owners.controls(replica_set, pod)]
        status, wait = self._status(replica_set, own, failure)
        latest = await self.client.get("apps/v1", "ReplicaSet", metadata["name"], metadata["namespace"])
        if latest is not None and latest.get("status") != status:
            await self.client.update({**latest, "status": status}, subresource="status")
        return wait

    def _status(self, replica_set: Obj, own: list[Obj], failure: ApiError | None) -> tuple[Obj, float | None]:
        running = [pod for pod in own if pods.active(pod)]
        settle = self.clock.scaled(replica_set["spec"].get("minReadySeconds", 0))
        now, ready = self.clock.now(), [pod for pod in running if pods.ready(pod)]
        ages = [pods.ready_for(pod, now) for pod in ready] if settle else [0.0] * len(ready)
        template = replica_set["spec"]["template"]["metadata"].get("labels") or {}
        labelled = [pod for pod in running if selectors.includes(selectors.labels_of(pod), template)]
        counts = {
            "fullyLabeledReplicas": len(labelled),
            "readyReplicas": len(ages),
            "availableReplicas": sum(age >= settle for age in ages),
        }
        status: Obj = {"replicas": len(running), **{key: value for key, value in counts.items() if value}}
        status["observedGeneration"] = replica_set["metadata"].get("generation", 1)
        if found := self._conditions(replica_set, failure):
            status["conditions"] = found
        waits = [settle - age for age in ages if age < settle]
        return status, min(waits) * self.clock.speed if waits else None

    def _conditions(self, replica_set: Obj, failure: ApiError | None) -> list[Obj]:
        present: list[Obj] = (replica_set.get("status") or {}).get("conditions") or []
        if failure is None:
            return conditions.drop(present, "ReplicaFailure")
        now = self.clock.timestamp()
        return conditions.put(
            present, "ReplicaFailure", "True", now=now, reason="FailedCreate", message=failure.message
        )
