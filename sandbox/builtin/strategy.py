"""How the API server treats the objects of one kind on their way into the store.

A write passes these steps, in this order; what stands in brackets is the API server's own:

    create   [decode, default, mutating webhooks] prepare_create [default again] validate [validating webhooks]
             allocate [store]
    update   [patch, default, mutating webhooks] prepare_update validate_update [validating webhooks]
             allocate [store]
    delete   grace_period [removal, or a deletionTimestamp, which raises the generation of kinds that count]

Between `allocate` and the store nothing may await: allocations are read from what is stored, not kept beside it.

An endpoint (the main resource, `/status`, `/scale`) writes only its part of the object. `foreign(subresource)` names
the other parts: on update they are taken from the old object, and an apply does not own them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from sandbox.schema.errors import FieldError

Obj = dict[str, Any]
Path = tuple[str, ...]

STATUS: Path = ("status",)
SPEC: Path = ("spec",)
LABELS: Path = ("metadata", "labels")


class Context(Protocol):
    """What a strategy may know beside the object. Synchronous: it reads the store as it is now."""

    now: datetime
    dry_run: bool
    user: str

    def get(self, group: str, kind: str, namespace: str | None, name: str) -> Obj | None: ...

    def objects(self, group: str, kind: str, namespace: str | None = None) -> Iterable[Obj]: ...


class Strategy:
    """The rules of a kind without any of its own: no status, no generation, everything may change."""

    status: Obj | None = None
    """The status of a new object; None for a kind that has none."""

    counted: tuple[Path, ...] = ()
    """The parts whose change raises metadata.generation; empty for a kind that has no generation."""

    put_creates: bool = False
    """A PUT of a missing name creates it."""

    put_overwrites: bool = True
    """A PUT without resourceVersion overwrites; otherwise it is invalid."""

    def foreign(self, subresource: str | None) -> tuple[Path, ...]:
        """The parts of the object that a write to this endpoint leaves as they are."""
        if subresource is None:
            return (STATUS,) if self.status is not None else ()
        if subresource == "status":
            return (SPEC,)
        return (STATUS,)

    def prepare_create(self, obj: Obj, context: Context) -> None:
        """Fill in, in place, what the server decides."""
        if self.status is not None:
            obj["status"] = copy.deepcopy(self.status)
        if self.counted:
            obj["metadata"]["generation"] = 1

    def prepare_update(self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None) -> None:
        """Put back, in place, what this endpoint does not write, and count the generation."""
        for path in self.foreign(subresource):
            restore(obj, old, path)
        if self.counted:
            generation = old["metadata"].get("generation", 0)
            changed = subresource != "status" and any(at(obj, path) != at(old, path) for path in self.counted)
            obj["metadata"]["generation"] = generation + 1 if changed else generation

    def validate(self, obj: Obj, context: Context) -> list[FieldError]:
        """What is wrong with a new object, beyond what its schema and the object alone tell."""
        return []

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        """What is wrong with the change."""
        return []

    def allocate(self, obj: Obj, old: Obj | None, context: Context) -> list[FieldError]:
        """Give the object, in place, what only one may have (addresses, ports); problems where it cannot be had."""
        return []

    def grace_period(self, obj: Obj, requested: int | None) -> int:
        """Seconds between the request to delete and the removal; 0 removes at once (finalizers aside)."""
        return 0


def at(obj: Obj, path: Path) -> Any:
    """The value at a path of keys; None where it is absent."""
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def restore(obj: Obj, old: Obj, path: Path) -> None:
    """Make the value at `path` what it is in `old`, or absent as it is there."""
    *parents, last = path
    if at(old, path) is None:
        parent = at(obj, tuple(parents))
        if isinstance(parent, dict):
            parent.pop(last, None)
        return
    parent = obj
    for key in parents:
        parent = parent.setdefault(key, {})
    parent[last] = copy.deepcopy(at(old, path))
