"""In-process access to the API server, for controllers and stand-ins.

The same code as behind HTTP answers: defaulting, validation, admission and managedFields apply. What comes back is
shared with the store and must not be changed; what is handed in is copied. Refusals are `ApiError`s.
"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]


class Client:
    """Verbs for one field manager and user."""

    def __init__(self, server: "Server", *, manager: str = "sandbox", user: str = "system:admin") -> None:
        self.server, self.manager, self.user = server, manager, user

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Obj | None:
        """Return the object, or None where it (or its kind) is not there."""
        raise NotImplementedError

    async def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        """Return the objects of a namespace (None: all) whose labels include `labels`, by namespace and name."""
        raise NotImplementedError

    async def create(self, obj: Obj) -> Obj:
        """Create and return the stored object; generateName works."""
        raise NotImplementedError

    async def update(self, obj: Obj, *, subresource: str | None = None) -> Obj:
        """Replace; 409 when obj's resourceVersion is stale."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def apply(self, obj: Obj, *, force: bool = False, subresource: str | None = None) -> Obj:
        """Server-side apply."""
        raise NotImplementedError

    async def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str | None = None,
        uid: str | None = None,
        grace: int | None = None,
    ) -> None:
        """Delete; an object that is not there is no error. `uid` is a precondition."""
        raise NotImplementedError

    def watch(
        self, api_version: str, kind: str, namespace: str | None = None
    ) -> AsyncIterator[tuple[str, Obj]]:
        """Yield (type, object): first what is there as ADDED, then each change; ends only by cancellation.

        Raises ApiError 404 when the kind is not served, also when its definition goes away later.
        """
        raise NotImplementedError


__all__ = ["ApiError", "Client"]
