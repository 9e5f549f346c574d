"""StatefulSets: pods with names of their own, made, replaced and removed in order."""

from __future__ import annotations

from typing import Any

from sandbox import selectors
from sandbox.controllers import events, owners, pods, revisions
from sandbox.controllers.base import Controller, Watched, own_key, owner_keys

Obj = dict[str, Any]

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


class StatefulSets(Controller):
    watches = (Watched("apps/v1", "StatefulSet", own_key), Watched("v1", "Pod", owner_keys("StatefulSet")))
    workers = 5  # a slow admission webhook must hold up only those whose pods it is asked about

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorder = events.Recorder(self.client, self.clock, "statefulset-controller")

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        found = await self.client.get("apps/v1", "StatefulSet", name, namespace)
        if found is None:
            return None
        if found["metadata"].get("deletionTimestamp"):
            return None
        revision = await revisions.keep(self.client, found)
        await self._step(found, revision, await self._pods(found))
        await self._write_status(found, revision, await self._pods(found))
        return None

    async def _pods(self, owner: Obj) -> dict[int, Obj]:
        """Its pods by ordinal."""
        listed = await self.client.list("v1", "Pod", owner["metadata"]["namespace"])
        claimed = await owners.claim(self.client, owner, listed)
        return {ordinal(pod): pod for pod in sorted(claimed, key=ordinal)}

    async def _step(self, owner: Obj, revision: str, present: dict[int, Obj]) -> None:
        """One step: the first missing pod, or the last one too many, or the last one of an old revision."""
        wanted = wanted_ordinals(owner)
        in_order = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        for number in wanted:
            pod = present.get(number)
            if pod is None:
                await self._create(owner, number, revision)
            elif pods.phase(pod) in pods.FINISHED and not pods.terminating(pod):
                await self._delete(owner, pod)
            if in_order and (pod is None or pods.terminating(pod) or not pods.ready(pod)):
                await self._replace_broken(owner, revision, pod)
                return
        for number in sorted(set(present) - set(wanted), reverse=True):
            if not pods.terminating(present[number]):
                await self._delete(owner, present[number])
            if in_order:
                return
        await self._roll(owner, revision, [present[number] for number in wanted if number in present])

    async def _roll(self, owner: Obj, revision: str, present: list[Obj]) -> None:
        """Replace the last pod of an old revision; the others wait for it to be ready."""
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
        for pod in reversed([pod for pod in present if ordinal(pod) >= partition]):
            if pods.terminating(pod) or not (pods.ready(pod) or is_old(pod, revision)):
                return
            if is_old(pod, revision):
                await self._delete(owner, pod)
                return

    async def _replace_broken(self, owner: Obj, revision: str, pod: Obj | None) -> None:
        """A pod of an old template that does not get ready must not block the new one for ever."""
        strategy = (owner["spec"].get("updateStrategy") or {}).get("type")
        if pod is not None and is_old(pod, revision) and not pods.terminating(pod) and strategy != "OnDelete":
            await self._delete(owner, pod)

    async def _create(self, owner: Obj, number: int, revision: str) -> None:
        metadata, spec = owner["metadata"], owner["spec"]
        name = f"{metadata['name']}-{number}"
        await self._claim_volumes(owner, name)
        pod = pods.from_template(spec["template"], owner, owners.reference(owner), name=name)
        marks = {revisions.LABEL: revision, POD_NAME: name, POD_INDEX: str(number)}
        pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **marks}
        volumes = [
            {"name": t["metadata"]["name"], "persistentVolumeClaim": {"claimName": f"{t['metadata']['name']}-{name}"}}
            for t in spec.get("volumeClaimTemplates") or ()
        ]
        extra: Obj = {"hostname": name, "subdomain": spec.get("serviceName") or ""}
        if volumes or spec["template"]["spec"].get("volumes"):
            extra["volumes"] = [*(spec["template"]["spec"].get("volumes") or ()), *volumes]
        await self.client.create({**pod, "spec": {**pod["spec"], **extra}})
        message = f"create Pod {name} in StatefulSet {metadata['name']} successful"
        self.recorder.normal(owner, "SuccessfulCreate", message)

    async def _claim_volumes(self, owner: Obj, pod: str) -> None:
        """The claims of a pod outlive it."""
        namespace = owner["metadata"]["namespace"]
        for template in owner["spec"].get("volumeClaimTemplates") or ():
            name = f"{template['metadata']['name']}-{pod}"
            if await self.client.get("v1", "PersistentVolumeClaim", name, namespace) is None:
                labels = owner["spec"]["selector"].get("matchLabels") or {}
                metadata = {"name": name, "namespace": namespace, "labels": labels}
                head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
                await self.client.create({**head, "spec": template["spec"]})

    async def _delete(self, owner: Obj, pod: Obj) -> None:
        metadata = pod["metadata"]
        await self.client.delete("v1", "Pod", metadata["name"], metadata["namespace"], uid=metadata["uid"])
        message = f"delete Pod {metadata['name']} in StatefulSet {owner['metadata']['name']} successful"
        self.recorder.normal(owner, "SuccessfulDelete", message)

    async def _write_status(self, owner: Obj, revision: str, present: dict[int, Obj]) -> None:
        """Counts and revisions, written where they changed."""
        before = owner.get("status") or {}
        alive = [pod for pod in present.values() if not pods.terminating(pod)]
        ready = [pod for pod in alive if pods.ready(pod)]
        updated = [pod for pod in alive if not is_old(pod, revision)]
        done = len(updated) == len(ready) == len(alive) == len(wanted_ordinals(owner))
        current = revision if done else before.get("currentRevision") or revision
        of_current = [pod for pod in alive if selectors.labels_of(pod).get(revisions.LABEL) == current]
        optional = {"readyReplicas": ready, "updatedReplicas": updated, "currentReplicas": of_current}
        status = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(alive),
            "availableReplicas": len(ready),
            **{key: len(found) for key, found in optional.items() if found},
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        if status != before:
            where = (owner["metadata"]["name"], owner["metadata"]["namespace"])
            latest = await self.client.get("apps/v1", "StatefulSet", *where)
            if latest is not None:
                await self.client.update({**latest, "status": status}, subresource="status")


def ordinal(pod: Obj) -> int:
    tail = str(pod["metadata"]["name"]).rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1


def wanted_ordinals(owner: Obj) -> range:
    first = (owner["spec"].get("ordinals") or {}).get("start", 0)
    return range(first, first + owner["spec"].get("replicas", 1))


def is_old(pod: Obj, revision: str) -> bool:
    return selectors.labels_of(pod).get(revisions.LABEL) != revision
