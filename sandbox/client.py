"""In-process access to the API server, for controllers and stand-ins.

The same code as behind HTTP answers: defaulting, validation, admission and managedFields apply. What comes back is
shared with the store and must not be changed; what is handed in is copied before it is changed. Refusals are
`ApiError`s.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from sandbox.api import deleting, watching, writing
from sandbox.api.calls import Call, Deletion
from sandbox.api.errors import ApiError, no_such_resource
from sandbox.api.server import Server
from sandbox.api.writing import Target

Obj = dict[str, Any]


class Client:
    """Verbs for one field manager and user."""

    def __init__(self, server: Server, *, manager: str = "sandbox", user: str = "system:admin") -> None:
        self.server, self.manager, self.user = server, manager, user

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Obj | None:
        """Return the object, or None where it (or its kind) is not there."""
        resource = self.server.catalog.of_kind(api_version, kind)
        record = self.server.find(resource, namespace, name) if resource else None
        return self.server.shown(resource, record) if resource and record else None

    async def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        """Return the objects of a namespace (None: all) whose labels include `labels`, by namespace and name."""
        resource = self.server.resource(api_version, kind)
        wanted = (labels or {}).items()
        return [
            self.server.shown(resource, record)
            for record in self.server.store.list(resource.storage, namespace)
            if not wanted or wanted <= (record.obj["metadata"].get("labels") or {}).items()
        ]

    async def create(self, obj: Obj) -> Obj:
        """Create and return the stored object; generateName works."""
        resource = self.server.resource(obj["apiVersion"], obj["kind"])
        namespace = obj["metadata"].get("namespace")
        return (await writing.create(self.server, self._call(), resource, namespace, obj)).obj

    async def update(self, obj: Obj, *, subresource: str | None = None) -> Obj:
        """Replace; 409 when obj's resourceVersion is stale."""
        metadata = obj["metadata"]
        target = self._target(obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"), subresource)
        return (await writing.update(self.server, self._call(), target, obj)).obj

    async def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        patch: Any,
        *,
        type: str = "merge",  # noqa: A002 - the word of the API: merge, json, strategic
        subresource: str | None = None,
    ) -> Obj:
        """Patch and return the object; 404 where it is not there."""
        target = self._target(api_version, kind, name, namespace, subresource)
        return (await writing.patch(self.server, self._call(), target, type, patch)).obj

    async def apply(self, obj: Obj, *, force: bool = False, subresource: str | None = None) -> Obj:
        """Server-side apply."""
        metadata = obj["metadata"]
        target = self._target(obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"), subresource)
        call = self._call()
        call.force = force
        return (await writing.server_side_apply(self.server, call, target, obj)).obj

    async def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str | None = "Background",
        uid: str | None = None,
        grace: int | None = None,
    ) -> None:
        """Delete; an object that is not there is no error. `uid` is a precondition (409)."""
        target = self._target(api_version, kind, name, namespace, None)
        options = Deletion(propagation=propagation, uid=uid, grace=grace)
        try:
            await deleting.delete(self.server, self._call(), target, options)
        except ApiError as error:
            if error.code != 404:
                raise

    async def watch(
        self, api_version: str, kind: str, namespace: str | None = None
    ) -> AsyncGenerator[tuple[str, Obj], None]:
        """Yield (type, object): first what is there as ADDED, then each change; ends only by cancellation.

        Raises ApiError 404 when the kind is not served, also when its definition goes away later.
        """
        resource = self.server.resource(api_version, kind)

        def selected(obj: Obj) -> bool:
            return namespace is None or obj["metadata"].get("namespace") == namespace

        watch = watching.Watch(self.server, resource, selected, None)
        try:
            for seen in watch.initial():
                assert seen.record is not None
                yield str(seen.change), self.server.shown(resource, seen.record)
            while (batch := await watch.batch()) is not None:
                for seen in batch:
                    assert seen.record is not None
                    yield str(seen.change), self.server.shown(resource, seen.record)
        finally:
            watch.close()
        raise no_such_resource()

    def _call(self) -> Call:
        return Call(user=self.user, manager=self.manager, field_validation="Ignore")

    def _target(self, api_version: str, kind: str, name: str, namespace: str | None, subresource: str | None) -> Target:
        return Target(self.server.resource(api_version, kind), namespace, name, subresource)


__all__ = ["ApiError", "Client"]
