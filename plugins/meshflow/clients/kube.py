"""Async verbs over a cluster: JSON in, JSON out, every error a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from meshflow.objects.kinds import Kind, Kinds
from meshflow.objects.reference import Obj, Reference


class Listing(NamedTuple):
    """All items of a list, kind and apiVersion filled in, and the resourceVersion to watch from."""

    items: list[Obj]
    resource_version: str


class Event(NamedTuple):
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    obj: Obj


class Response(NamedTuple):
    """What a service behind the API server's proxy answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body. ValueError when it is no JSON."""


class Kube:
    """A cluster. `cluster` is its name in messages and plans."""

    def __init__(self, api_client: Any, *, cluster: str) -> None: ...

    async def get(self, reference: Reference, *, version: str | None = None) -> Obj | None: ...

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        page: int = 500,
    ) -> Listing: ...

    async def apply(
        self, obj: Obj, *, manager: str, force: bool = False, dry_run: bool = False, subresource: str | None = None
    ) -> Obj: ...

    async def create(self, obj: Obj, *, manager: str = "meshflow") -> Obj: ...

    async def patch(
        self,
        reference: Reference,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        type: str = "merge",
        subresource: str | None = None,
        manager: str = "meshflow",
    ) -> Obj: ...

    async def delete(
        self, reference: Reference, *, uid: str | None = None, propagation: str = "Background"
    ) -> bool: ...

    def watch(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        resource_version: str,
        timeout: int = 300,
        labels: str | None = None,
        fields: str | None = None,
    ) -> AsyncIterator[Event]: ...

    async def kinds(self) -> Kinds: ...

    def forget_kinds(self) -> None: ...

    async def proxy(
        self,
        namespace: str,
        service: str,
        port: int | str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        method: str = "GET",
        scheme: str = "http",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response: ...

    async def can(self, verb: str, kind: Kind, namespace: str | None = None) -> bool: ...

    async def version(self) -> str: ...


@asynccontextmanager
async def kube_from_config(
    config_file: str | None = None, context: str | None = None, *, cluster: str = "default"
) -> AsyncIterator[Kube]:
    """A `Kube` from a kubeconfig file, closed on exit."""
    raise NotImplementedError
    yield
