"""The garbage collector: what is left of an owner goes with it, before it, or stays without it.

    Background  the owner is gone; each dependent without a living owner is deleted
    Foreground  the owner waits with the finalizer `foregroundDeletion` until the dependents that block it are gone
    Orphan      the owner waits with the finalizer `orphan` until its dependents no longer refer to it

It listens to the store itself, not to one watch per kind: every resource counts, those of later definitions too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.controllers.base import Controller, Watched

if TYPE_CHECKING:
    from sandbox.api.server import Server
    from sandbox.store.records import Event
    from sandbox.store.store import Shelf

Obj = dict[str, Any]
Storage = tuple[str, str]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Node(NamedTuple):
    """Where an object is."""

    storage: Storage
    namespace: str | None
    name: str
    owners: frozenset[str]  # uids


class GarbageCollector(Controller):
    """Its queue holds uids: Key(None, uid)."""

    watches = (Watched("apiextensions.k8s.io/v1", "CustomResourceDefinition", lambda obj: ()),)

    def __init__(self, *args: Any, server: Server) -> None:
        super().__init__(*args)
        self.server = server
        self._nodes: dict[str, Node] = {}
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        self._shelves: dict[Storage, Shelf] = {}
        self._deaf: list[Callable[[], object]] = []

    async def run(self) -> None:
        try:
            self._listen()
            await super().run()
        finally:
            for stop in self._deaf:
                stop()

    def seen(self, row: Watched, obj: Obj) -> None:
        """A definition may have brought a new resource."""
        self._listen()

    def _listen(self) -> None:
        """Follow each resource that is served and not followed yet (or served again after it had gone)."""
        for resource in self.server.catalog.stored():
            shelf = self.server.store.shelf(resource.storage)
            if self._shelves.get(resource.storage) is shelf:
                continue
            self._shelves[resource.storage] = shelf
            storage = resource.storage
            self._deaf.append(self.server.store.listen(storage, self._listener(storage)))
            for record in self.server.store.list(storage):
                self._note(storage, record.obj)

    def _listener(self, storage: Storage) -> Callable[[Event | None], None]:
        def hear(event: Event | None) -> None:
            if event is None:  # the resource is gone, and its objects went before it
                self._shelves.pop(storage, None)
            elif event.change == "DELETED":
                self._forget(event.record.obj)
            else:
                self._note(storage, event.record.obj)

        return hear

    def _note(self, storage: Storage, obj: Obj) -> None:
        metadata = obj["metadata"]
        uid, references = metadata["uid"], metadata.get("ownerReferences") or ()
        known = self._nodes.get(uid)
        owners = frozenset(reference["uid"] for reference in references)
        if known is None or known.owners != owners:
            for gone in (known.owners if known else frozenset()) - owners:
                self._dependents[gone].discard(uid)
                self.wake(None, gone)
            for owner in owners:
                self._dependents[owner].add(uid)
            self._nodes[uid] = Node(storage, metadata.get("namespace"), metadata["name"], owners)
            if any(owner not in self._nodes for owner in owners):
                self.wake(None, uid)
        if metadata.get("deletionTimestamp") and {FOREGROUND, ORPHAN} & set(metadata.get("finalizers") or ()):
            self.wake(None, uid)

    def _forget(self, obj: Obj) -> None:
        uid = obj["metadata"]["uid"]
        node = self._nodes.pop(uid, None)
        for owner in node.owners if node else ():
            self._dependents[owner].discard(uid)
            self.wake(None, owner)
        for dependent in self._dependents.pop(uid, ()):
            self.wake(None, dependent)

    def _read(self, uid: str) -> Obj | None:
        node = self._nodes.get(uid)
        record = self.server.store.get(node.storage, node.namespace, node.name) if node else None
        return record.obj if record and record.obj["metadata"]["uid"] == uid else None

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        obj = self._read(name)
        if obj is None:
            return None
        metadata = obj["metadata"]
        finalizers = metadata.get("finalizers") or ()
        if metadata.get("deletionTimestamp") and ORPHAN in finalizers:
            await self._orphan(obj)
        elif metadata.get("deletionTimestamp") and FOREGROUND in finalizers:
            await self._foreground(obj)
        elif not metadata.get("deletionTimestamp"):
            await self._collect(obj)
        return None

    async def _orphan(self, owner: Obj) -> None:
        uid = owner["metadata"]["uid"]
        for dependent in [self._read(d) for d in sorted(self._dependents[uid])]:
            if dependent is not None:
                await self._keep_owners(dependent, lambda reference: reference["uid"] != uid)
        await self._remove_finalizer(owner, ORPHAN)

    async def _foreground(self, owner: Obj) -> None:
        uid = owner["metadata"]["uid"]
        found = [dependent for d in sorted(self._dependents[uid]) if (dependent := self._read(d))]
        for dependent in found:
            if not dependent["metadata"].get("deletionTimestamp"):
                await self._collect(dependent)
        if not any(self._blocks(dependent, uid) for dependent in found if self._read(dependent["metadata"]["uid"])):
            await self._remove_finalizer(owner, FOREGROUND)

    @staticmethod
    def _blocks(dependent: Obj, uid: str) -> bool:
        references = dependent["metadata"].get("ownerReferences") or ()
        return any(reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in references)

    async def _collect(self, obj: Obj) -> None:
        """Delete the object if none of its owners lives; otherwise drop the references to those that do not."""
        references = obj["metadata"].get("ownerReferences") or ()
        living = [r for r in references if self._lives(r, obj)]
        if not references or len(living) == len(references):
            return
        if living:
            uids = {reference["uid"] for reference in living}
            await self._keep_owners(obj, lambda reference: reference["uid"] in uids)
            return
        waited_for = any(self._waits(reference["uid"]) for reference in references)
        has_dependents = bool(self._dependents.get(obj["metadata"]["uid"]))
        await self._delete(obj, "Foreground" if waited_for and has_dependents else "Background")

    def _lives(self, reference: Obj, obj: Obj) -> bool:
        """The owner is there, under that name, in reach, and not waiting for its dependents to go."""
        node = self._nodes.get(reference["uid"])
        if node is None or node.name != reference["name"]:
            return False
        in_reach = node.namespace is None or node.namespace == obj["metadata"].get("namespace")
        return in_reach and not self._waits(reference["uid"])

    def _waits(self, uid: str) -> bool:
        owner = self._read(uid)
        metadata = owner["metadata"] if owner else {}
        return bool(metadata.get("deletionTimestamp")) and FOREGROUND in (metadata.get("finalizers") or ())

    async def _delete(self, obj: Obj, propagation: str) -> None:
        metadata = obj["metadata"]
        where = (obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"))
        await self.client.delete(*where, uid=metadata["uid"], propagation=propagation)

    async def _keep_owners(self, obj: Obj, keep: Callable[[Obj], bool]) -> None:
        references = [r for r in obj["metadata"].get("ownerReferences") or () if keep(r)]
        await self._patch(obj, {"ownerReferences": references or None})

    async def _remove_finalizer(self, obj: Obj, finalizer: str) -> None:
        latest = self._read(obj["metadata"]["uid"])
        if latest is not None:
            left = [f for f in latest["metadata"].get("finalizers") or () if f != finalizer]
            await self._patch(latest, {"finalizers": left or None})

    async def _patch(self, obj: Obj, change: Obj) -> None:
        metadata = obj["metadata"]
        where = (obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"))
        fixed = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        await self.client.patch(*where, {"metadata": {**fixed, **change}})
