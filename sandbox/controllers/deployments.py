"""Deployments: one ReplicaSet per template, and the way from one to the next."""

from __future__ import annotations

from typing import Any

from sandbox.controllers import conditions, events, owners, progress, rollout
from sandbox.controllers.base import Controller, Key, Watched, own_key, owner_keys

Obj = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
NOT_INHERITED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        rollout.DESIRED,
        rollout.MAXIMUM,
        "deprecated.deployment.rollback.to",
    }
)


def keys_of_pod(pod: Obj) -> list[Key]:
    """The Deployment of a pod, by the name of its ReplicaSet. A Recreate waits for pods to go."""
    owner, metadata = owners.controller(pod), pod["metadata"]
    mark = "-" + str((metadata.get("labels") or {}).get(rollout.HASH_LABEL))
    if owner is None or owner["kind"] != "ReplicaSet" or not owner["name"].endswith(mark):
        return []
    return [Key(metadata["namespace"], owner["name"].removesuffix(mark))] if metadata.get("deletionTimestamp") else []


class Deployments(Controller):
    watches = (
        Watched("apps/v1", "Deployment", own_key),
        Watched("apps/v1", "ReplicaSet", owner_keys("Deployment")),
        Watched("v1", "Pod", keys_of_pod),
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorder = events.Recorder(self.client, self.clock, "deployment-controller")
        self._moved_at: dict[str, float] = {}  # uid → when the rollout last moved

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        deployment = await self.client.get("apps/v1", "Deployment", name, namespace)
        if deployment is None:
            return None
        found = await self.client.list("apps/v1", "ReplicaSet", namespace)
        family = await owners.claim(self.client, deployment, found)
        family.sort(key=lambda rs: (rs["metadata"]["creationTimestamp"], int(revision(rs)), rs["metadata"]["name"]))
        look = Look(self, deployment, family)
        if not deployment["metadata"].get("deletionTimestamp"):
            await look.step()
        return await look.write_status()

    def since_moved(self, deployment: Obj) -> float:
        """Seconds of the simulation since the rollout last moved."""
        now = self.clock.monotonic()
        then = self._moved_at.setdefault(deployment["metadata"]["uid"], now)
        return (now - then) * self.clock.speed

    def has_moved(self, deployment: Obj) -> None:
        self._moved_at[deployment["metadata"]["uid"]] = self.clock.monotonic()

    def lost(self, row: Watched, obj: Obj) -> None:
        self._moved_at.pop(obj["metadata"]["uid"], None)


class Look:
    """One look at one Deployment and its ReplicaSets (oldest first)."""

    def __init__(self, controller: Deployments, deployment: Obj, family: list[Obj]) -> None:
        self.controller, self.client = controller, controller.client
        self.deployment = deployment
        self.now = controller.clock.timestamp()
        template = rollout.bare(deployment["spec"]["template"])
        self.new = next((rs for rs in family if rollout.bare(rs["spec"]["template"]) == template), None)
        self.old = [rs for rs in family if rs is not self.new]
        self.conditions: list[Obj] = (deployment.get("status") or {}).get("conditions") or []

    @property
    def everything(self) -> list[Obj]:
        return [*self.old, *([self.new] if self.new else [])]

    async def step(self) -> None:
        """Change what may be changed now; the next look follows from the events of that."""
        self._say_whether_paused()
        if self.deployment["spec"].get("paused") or rollout.is_scaling(self.deployment, self.everything):
            await self._resize(rollout.scaled_sizes(self.deployment, self.new, self.old))
        elif rollout.recreates(self.deployment):
            await self._recreate()
        else:
            await self._roll()
        if self.new and not self.deployment["spec"].get("paused"):
            await self._renumber()
            await self._forget_old_revisions()

    async def _roll(self) -> None:
        size = rollout.new_size(self.deployment, self.new, self.old)
        if self.new is None:
            await self._create(size)
        elif rollout.replicas(self.new) != size:
            await self._resize({self.new["metadata"]["name"]: size})
        elif self.old:
            await self._resize(rollout.old_sizes(self.deployment, self.new, self.old))

    async def _recreate(self) -> None:
        if down := {rs["metadata"]["name"]: 0 for rs in self.old if rollout.replicas(rs)}:
            await self._resize(down)
        elif await self._old_pods_left():
            return
        elif self.new is None:
            await self._create(rollout.replicas(self.deployment))
        elif rollout.replicas(self.new) != rollout.replicas(self.deployment):
            await self._resize({self.new["metadata"]["name"]: rollout.replicas(self.deployment)})

    async def _old_pods_left(self) -> bool:
        old = {rs["metadata"]["uid"] for rs in self.old}
        found = await self.client.list("v1", "Pod", self.deployment["metadata"]["namespace"])
        return any((owner := owners.controller(pod)) is not None and owner["uid"] in old for pod in found)

    async def _create(self, size: int) -> None:
        spec, metadata = self.deployment["spec"], self.deployment["metadata"]
        template = spec["template"]
        mark = rollout.template_hash(template)
        labels = {**(template["metadata"].get("labels") or {}), rollout.HASH_LABEL: mark}
        selector = spec["selector"]
        body: Obj = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{metadata['name']}-{mark}",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {**self._inherited(), **self._sizes(), REVISION: str(self._next_revision())},
                "ownerReferences": [owners.reference(self.deployment)],
            },
            "spec": {
                "replicas": size,
                "selector": {
                    **selector,
                    "matchLabels": {**(selector.get("matchLabels") or {}), rollout.HASH_LABEL: mark},
                },
                "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
            },
        }
        if spec.get("minReadySeconds"):
            body["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        self.new = await self.client.create(body)
        self._progress("NewReplicaSetCreated", f'Created new replica set "{body["metadata"]["name"]}"')
        if size:
            self._say_scaled(self.new, 0, size)

    async def _resize(self, sizes: rollout.Sizes) -> None:
        """Give ReplicaSets their sizes; all of them note what the Deployment wants now."""
        self.old = [await self._resized(rs, sizes) for rs in self.old]
        self.new = await self._resized(self.new, sizes) if self.new else None

    async def _resized(self, replica_set: Obj, sizes: rollout.Sizes) -> Obj:
        before = rollout.replicas(replica_set)
        size = sizes.get(replica_set["metadata"]["name"], before)
        changed = _with_annotations(replica_set, self._sizes())
        if size == before and (changed is replica_set or not size):
            return replica_set
        stored = await self.client.update({**changed, "spec": {**changed["spec"], "replicas": size}})
        if size != before:
            self._say_scaled(replica_set, before, size)
        return stored

    async def _renumber(self) -> None:
        """The ReplicaSet in use has the highest revision, also when it is an old one come back."""
        assert self.new is not None
        number, present = self._next_revision(), revision(self.new)
        wanted = {**self._inherited()}
        if int(present) < number:
            wanted[REVISION] = str(number)
            if present != "0":
                past = (self.new["metadata"].get("annotations") or {}).get(HISTORY)
                wanted[HISTORY] = f"{past},{present}" if past else present
            self._progress("FoundNewReplicaSet", f'Found new replica set "{self.new["metadata"]["name"]}"')
        settle = self.deployment["spec"].get("minReadySeconds", 0)
        changed = _with_annotations(self.new, wanted)
        if changed["spec"].get("minReadySeconds", 0) != settle:
            changed = {**changed, "spec": {**changed["spec"], "minReadySeconds": settle}}
        if changed is not self.new:
            self.new = await self.client.update(changed)

    async def _forget_old_revisions(self) -> None:
        limit = self.deployment["spec"].get("revisionHistoryLimit", 10)
        empty = [rs for rs in self.old if not rollout.replicas(rs) and not (rs.get("status") or {}).get("replicas")]
        empty.sort(key=lambda rs: int(revision(rs)))
        for rs in empty[: max(0, len(empty) - limit)]:
            metadata = rs["metadata"]
            where = (metadata["name"], metadata["namespace"])
            await self.client.delete("apps/v1", "ReplicaSet", *where, uid=metadata["uid"])

    async def write_status(self) -> float | None:
        """Write the status where it changed. Returns the seconds until the progress deadline, where one runs."""
        before = self.deployment.get("status") or {}
        status: Obj = {"observedGeneration": self.deployment["metadata"]["generation"]}
        status |= progress.counts(self.deployment, self.new, self.everything)
        found = progress.with_available(self.conditions, self.deployment, status, now=self.now)
        self.conditions = self._with_failure(found)
        wait = self._judge_progress(before, status)
        status["conditions"] = self.conditions
        if before.get("collisionCount"):
            status["collisionCount"] = before["collisionCount"]
        changed = {**self.deployment, "status": status}
        if self.new:
            changed = _with_annotations(changed, {REVISION: revision(self.new)})
        if changed != self.deployment:
            await self.client.update(changed, subresource="status")
        return wait

    def _judge_progress(self, before: Obj, status: Obj) -> float | None:
        limit = self.deployment["spec"].get("progressDeadlineSeconds", 600)
        done = status.get("replicas", 0) == status.get("updatedReplicas", 0)
        if self.new is None or (done and progress.reason(self.conditions) == "NewReplicaSetAvailable"):
            return None
        title = f'ReplicaSet "{self.new["metadata"]["name"]}"'
        if progress.complete(self.deployment, status):
            self._progress("NewReplicaSetAvailable", f"{title} has successfully progressed.")
            return None
        if progress.moved(before, status):
            self._progress("ReplicaSetUpdated", f"{title} is progressing.")
        elif progress.reason(self.conditions) == "ProgressDeadlineExceeded" or self.deployment["spec"].get("paused"):
            return None
        left = float(limit - self.controller.since_moved(self.deployment))
        if left > 0:
            return left
        words = ("False", "ProgressDeadlineExceeded", f"{title} has timed out progressing.")
        self.conditions = progress.progressing(self.conditions, *words, now=self.now)
        return None

    def _progress(self, reason: str, message: str) -> None:
        self.controller.has_moved(self.deployment)
        self.conditions = progress.progressing(self.conditions, "True", reason, message, now=self.now)

    def _say_whether_paused(self) -> None:
        paused, reason = self.deployment["spec"].get("paused"), progress.reason(self.conditions)
        if reason == "ProgressDeadlineExceeded":
            return
        if paused and reason != "DeploymentPaused":
            words = ("Unknown", "DeploymentPaused", "Deployment is paused")
            self.conditions = progress.progressing(self.conditions, *words, now=self.now)
        elif not paused and reason == "DeploymentPaused":
            words = ("Unknown", "DeploymentResumed", "Deployment is resumed")
            self.conditions = progress.progressing(self.conditions, *words, now=self.now)
            self.controller.has_moved(self.deployment)

    def _with_failure(self, found: list[Obj]) -> list[Obj]:
        """What keeps a ReplicaSet from making pods is told by the Deployment too."""
        failures = (
            conditions.find((rs.get("status") or {}).get("conditions"), "ReplicaFailure") for rs in self.everything
        )
        failure = next((f for f in failures if f), None)
        if failure is None:
            return conditions.drop(found, "ReplicaFailure")
        words = {"reason": failure.get("reason"), "message": failure.get("message")}
        old = conditions.find(found, "ReplicaFailure")
        if old and {key: old.get(key) for key in words} == words:
            return found
        return conditions.put(found, "ReplicaFailure", failure["status"], now=self.now, updated=True, **words)

    def _say_scaled(self, replica_set: Obj, before: int, size: int) -> None:
        way = "up" if size > before else "down"
        message = f"Scaled {way} replica set {replica_set['metadata']['name']} from {before} to {size}"
        self.controller.recorder.normal(self.deployment, "ScalingReplicaSet", message)

    def _next_revision(self) -> int:
        return max((int(revision(rs)) for rs in self.old), default=0) + 1

    def _sizes(self) -> dict[str, str]:
        wanted, most = rollout.replicas(self.deployment), rollout.ceiling(self.deployment)
        return {rollout.DESIRED: str(wanted), rollout.MAXIMUM: str(most)}

    def _inherited(self) -> dict[str, str]:
        annotations = self.deployment["metadata"].get("annotations") or {}
        return {key: value for key, value in annotations.items() if key not in NOT_INHERITED}


def revision(obj: Obj) -> str:
    """The revision of a ReplicaSet as noted on it; 0 without one."""
    return str((obj["metadata"].get("annotations") or {}).get(REVISION, "0"))


def _with_annotations(obj: Obj, wanted: dict[str, str]) -> Obj:
    """The object with these annotations: itself where it has them already."""
    present = obj["metadata"].get("annotations") or {}
    if all(present.get(key) == value for key, value in wanted.items()):
        return obj
    return {**obj, "metadata": {**obj["metadata"], "annotations": {**present, **wanted}}}
