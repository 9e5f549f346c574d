"""What the store holds: records that never change, and the events between them."""

import json
from enum import StrEnum
from typing import Any, NamedTuple

Obj = dict[str, Any]


def dumps(value: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Record:
    """One state of one object. `obj` is shared with everybody who reads: never change it.

    The JSON is made once, at the first reader, without kind and apiVersion: whether an item has them depends on who
    asks (built-in lists leave them out).
    """

    __slots__ = ("_tail", "obj", "version")

    def __init__(self, obj: Obj, version: int) -> None:
        self.obj = obj
        self.version = version
        self._tail: bytes | None = None

    @property
    def namespace(self) -> str | None:
        found: str | None = self.obj["metadata"].get("namespace")
        return found

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    def to_json(self, *, kind: str = "", api_version: str = "") -> bytes:
        """Return the object as JSON, opened by kind and apiVersion where they are given."""
        if self._tail is None:
            self._tail = dumps({k: v for k, v in self.obj.items() if k not in ("kind", "apiVersion")})[1:]
        if not kind:
            return b"{" + self._tail
        head = f'{{"kind":"{kind}","apiVersion":"{api_version}"'.encode()
        return head + (b"" if self._tail == b"}" else b",") + self._tail


class Change(StrEnum):
    """What an event says happened."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Event(NamedTuple):
    """One write: `record` is the new state (of a deletion: the last one, with the deletion's version)."""

    change: Change
    record: Record
    previous: Record | None

    @property
    def version(self) -> int:
        return self.record.version
