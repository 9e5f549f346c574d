"""In which shape objects are answered: as they are, as a Table (kubectl), or as their metadata alone.

The Accept header decides: `application/json;as=Table;v=v1;g=meta.k8s.io`. The columns of a Table come from
`sandbox.api.tables`.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.api import columns, conversion, listing, replies, tables
from sandbox.api.errors import ApiError
from sandbox.api.listing import Page
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource
from sandbox.api.watching import BOOKMARK, Seen
from sandbox.store.records import Record

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
META = "meta.k8s.io/v1"
_END = {"annotations": {"k8s.io/initial-events-end": "true"}}


class WatchEncoder(Protocol):
    """Turns what a watch sees into lines."""

    def event(self, seen: Seen) -> bytes: ...
    def error(self, error: ApiError) -> bytes: ...


class Shape(Protocol):
    """One way to show objects."""

    def single(self, server: "Server", request: Request, resource: Resource, record: Record) -> Reply: ...
    def listed(self, server: "Server", request: Request, resource: Resource, found: Page) -> Reply: ...
    def watched(self, server: "Server", request: Request, resource: Resource) -> WatchEncoder: ...


def wanted(accept: str) -> "Shape | None":
    """Return the shape that an Accept header prefers, or None for plain objects."""
    for option in accept.split(","):
        words = {word.strip() for word in option.split(";")}
        if "as=Table" in words and "v=v1" in words:
            return _TABLE
        if words & {"as=PartialObjectMetadata", "as=PartialObjectMetadataList"}:
            return _PARTIAL
        if words & {"application/json", "*/*", "application/*"}:
            return None
    return None


class Plain:
    """A watch of objects as they are."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    def event(self, seen: Seen) -> bytes:
        if seen.record is None:
            return _line(BOOKMARK, self._bookmark(seen))
        body = listing.full(self.resource, seen.record)
        return b'{"type":"' + seen.change.encode() + b'","object":' + body + b"}\n"

    def error(self, error: ApiError) -> bytes:
        return _line("ERROR", error.to_status())

    def _bookmark(self, seen: Seen) -> Obj:
        metadata: Obj = {"resourceVersion": str(seen.version), "creationTimestamp": None}
        if seen.initial_end:
            metadata |= _END
        return {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}


class _Tables:
    def single(self, server: "Server", request: Request, resource: Resource, record: Record) -> Reply:
        metadata = {"resourceVersion": str(record.version)}
        return replies.json_reply(self.table(server, request, resource, [record], metadata))

    def listed(self, server: "Server", request: Request, resource: Resource, found: Page) -> Reply:
        return replies.json_reply(self.table(server, request, resource, found.records, found.metadata()))

    def watched(self, server: "Server", request: Request, resource: Resource) -> WatchEncoder:
        return _TableWatch(server, request, resource)

    def table(
        self, server: "Server", request: Request, resource: Resource, records: list[Record], metadata: Obj
    ) -> Obj:
        kept = resource.api_version
        objects = [{"kind": resource.kind, **conversion.convert(r.obj, kept), "apiVersion": kept} for r in records]
        include = request.query.get("includeObject", "Metadata")
        return tables.table(
            objects, columns=_columns(resource), now=server.clock.now(), include=include, metadata=metadata
        )


def _columns(resource: Resource) -> Sequence[tables.Column]:
    if resource.definition is None:
        return columns.of(resource.group, resource.kind)
    version = next(v for v in resource.definition["versions"] if v["name"] == resource.version)
    return tables.custom(version.get("additionalPrinterColumns"))


class _TableWatch(Plain):
    """A watch of Tables: one row an event, the columns in the first alone."""

    def __init__(self, server: "Server", request: Request, resource: Resource) -> None:
        super().__init__(resource)
        self._server, self._request, self._first = server, request, True

    def event(self, seen: Seen) -> bytes:
        metadata = {"resourceVersion": str(seen.version)}
        records = [seen.record] if seen.record is not None else []
        table = _TABLE.table(self._server, self._request, self.resource, records, metadata)
        if seen.record is None:
            table["rows"] = [{"cells": [], "object": self._bookmark(seen)}]
        if not self._first:
            table["columnDefinitions"] = None
        self._first = False
        return _line(seen.change, table)


class _Partials:
    def single(self, server: "Server", request: Request, resource: Resource, record: Record) -> Reply:
        return replies.json_reply(_partial(record.obj))

    def listed(self, server: "Server", request: Request, resource: Resource, found: Page) -> Reply:
        items = [_partial(record.obj) for record in found.records]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": META, "metadata": found.metadata()}
        return replies.json_reply({**head, "items": items})

    def watched(self, server: "Server", request: Request, resource: Resource) -> WatchEncoder:
        return _PartialWatch(resource)


class _PartialWatch(Plain):
    def event(self, seen: Seen) -> bytes:
        if seen.record is None:
            return _line(BOOKMARK, {**self._bookmark(seen), "kind": "PartialObjectMetadata", "apiVersion": META})
        return _line(seen.change, _partial(seen.record.obj))


def _partial(obj: Obj) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj["metadata"]}


def _line(change: str, obj: Obj) -> bytes:
    return json.dumps({"type": str(change), "object": obj}, separators=(",", ":")).encode() + b"\n"


_TABLE, _PARTIAL = _Tables(), _Partials()
