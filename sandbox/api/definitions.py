"""CustomResourceDefinitions: what makes one valid, when it is served, and what its end takes along.

    created ──► names accepted, Established ──► served (catalog) ──► deleted: objects go first, then the finalizer

A definition's `spec` alone decides what is served; its `status` tells others. Everything here runs on the events of
the store, so that the next request after the status says Established finds the resource.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sandbox.api import deleting, writing
from sandbox.api.calls import Call, Deletion
from sandbox.api.errors import ApiError
from sandbox.api.resources import SCALE, STATUS, Resource, Subresource
from sandbox.api.writing import Target
from sandbox.store.records import Change, Event

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
log = logging.getLogger(__name__)

STORAGE = ("apiextensions.k8s.io", "customresourcedefinitions")
FINALIZER = deleting.DEFINITION_FINALIZER
_VERSION = re.compile(r"^v(\d+)(?:(alpha|beta)(\d+))?$")
_MANAGER = "kube-apiserver"


def rows(definition: Obj) -> list[Resource]:
    """Return the served versions of a definition as resources, the preferred one first."""
    spec = definition["spec"]
    names = spec["names"]
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    served = [version for version in spec["versions"] if version.get("served")]
    return [
        Resource(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources={sub.name: sub for sub in _subresources(version)},
            singular=names.get("singular") or names["kind"].lower(),
            list_kind=names.get("listKind") or f"{names['kind']}List",
            storage_version=storage,
            custom_schema=(version.get("schema") or {}).get("openAPIV3Schema") or {},
            definition=spec,
        )
        for version in sorted(served, key=lambda version: priority(version["name"]))
    ]


def _subresources(version: Obj) -> Iterator[Subresource]:
    found = version.get("subresources") or {}
    if found.get("status") is not None:
        yield STATUS
    if found.get("scale") is not None:
        yield SCALE


def priority(version: str) -> tuple[Any, ...]:
    """Return the sort key of a version: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name."""
    match = _VERSION.match(version)
    if match is None:
        return (1, version)
    major, stage, minor = match.groups()
    return (0, {None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0))


class Definitions:
    """Keeps the catalog and the status of definitions in step with the definitions themselves."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = server.store.listen(STORAGE, self._hear)

    async def close(self) -> None:
        """Stop listening and end what is still being cleaned up."""
        self._stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hear(self, event: Event | None) -> None:
        if event is None:
            return
        definition = event.record.obj
        storage = _storage(definition)
        if event.change is Change.DELETED:
            self._server.catalog.replace(storage, [])
            self._server.store.drop(storage)
            return
        if definition["metadata"].get("deletionTimestamp"):
            if FINALIZER in (definition["metadata"].get("finalizers") or []):
                self._start(self._finish(definition))
            return
        if _established(definition):
            self._serve(definition, event.previous.obj if event.previous else None)
        if self._status(definition) != definition.get("status"):
            self._start(self._accept(definition["metadata"]["name"]))

    def _serve(self, definition: Obj, before: Obj | None) -> None:
        """Serve the versions of a definition; unchanged ones keep their compiled schemas."""
        if before is not None and _established(before) and before["spec"] == definition["spec"]:
            return
        self._server.store.shelf(_storage(definition))
        self._server.catalog.replace(_storage(definition), rows(definition))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except ApiError as error:
            log.warning("definition: %s", error.message)

    async def _accept(self, name: str) -> None:
        """Write the status of a new or changed definition: its names, then Established."""
        record = self._server.store.get(STORAGE, None, name)
        if record is None or record.obj["metadata"].get("deletionTimestamp"):
            return
        status = self._status(record.obj)
        if status != record.obj.get("status"):
            target = Target(self._resource(), None, name, "status")
            await writing.patch(self._server, Call(manager=_MANAGER), target, "merge", {"status": status})

    def _resource(self) -> Resource:
        return self._server.resource("apiextensions.k8s.io/v1", "CustomResourceDefinition")

    def _status(self, definition: Obj) -> Obj:
        """Return the status that the definition should have."""
        spec, status = definition["spec"], dict(definition.get("status") or {})
        stored = next(version["name"] for version in spec["versions"] if version.get("storage"))
        status["storedVersions"] = list(dict.fromkeys([*(status.get("storedVersions") or []), stored]))
        conflict = self._name_conflict(definition)
        if conflict:
            wanted = (
                ("NamesAccepted", "False", "NameConflict", conflict),
                ("Established", "False", "NotAccepted", "not all names are accepted"),
            )
        else:
            status["acceptedNames"] = spec["names"]
            wanted = (
                ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
                ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
            )
        status["conditions"] = _conditions(status.get("conditions") or [], wanted, self._server.clock.timestamp())
        return status

    def _name_conflict(self, definition: Obj) -> str:
        group, names = definition["spec"]["group"], definition["spec"]["names"]
        for row in self._server.catalog.rows():
            if row.group != group or row.plural == names["plural"]:
                continue
            if row.kind == names["kind"]:
                return f'"{names["kind"]}" is already in use'
        return ""

    async def _finish(self, definition: Obj) -> None:
        """Delete all objects of a terminating definition, then let it go."""
        name, storage = definition["metadata"]["name"], _storage(definition)
        found = self._server.catalog.stored_kind(storage[0], definition["spec"]["names"]["kind"])
        call = Call(manager=_MANAGER)
        while found is not None:
            left = list(self._server.store.list(storage))
            if not left:
                break
            for record in left:
                if not record.obj["metadata"].get("deletionTimestamp"):
                    target = Target(found, record.namespace, record.name)
                    await deleting.delete(self._server, call, target, Deletion())
            await self._server.clock.sleep(0.05)
        self._server.catalog.replace(storage, [])
        record_now = self._server.store.get(STORAGE, None, name)
        if record_now is None:
            return
        finalizers = [f for f in record_now.obj["metadata"].get("finalizers") or [] if f != FINALIZER]
        target = Target(self._resource(), None, name)
        await writing.patch(self._server, call, target, "merge", {"metadata": {"finalizers": finalizers or None}})


def _storage(definition: Obj) -> tuple[str, str]:
    return (definition["spec"]["group"], definition["spec"]["names"]["plural"])


def _established(definition: Obj) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _conditions(present: list[Obj], wanted: Iterable[tuple[str, str, str, str]], now: str) -> list[Obj]:
    """Return the conditions with these (type, status, reason, message); the time is that of a status' last change."""
    before = {condition["type"]: condition for condition in present}
    made = []
    for kind, status, reason, message in wanted:
        old = before.pop(kind, {})
        time = old["lastTransitionTime"] if old.get("status") == status else now
        words = {"type": kind, "status": status, "lastTransitionTime": time, "reason": reason, "message": message}
        made.append({**old, **words})
    return [*made, *before.values()]
