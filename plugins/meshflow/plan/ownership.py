"""Who owns which field, read from `metadata.managedFields`.

managedFields also tell the structure of an object, which is why no table of list keys is needed: a list whose entry has
`k:` children is keyed by these names, one with `v:` children is a set, and a leaf is atomic, whatever it holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from meshflow.objects.reference import Obj
from meshflow.plan.paths import Keyed, Path, Step, Valued

Fields = dict[Step, "Fields"]
"""A tree of owned fields; an empty one is a leaf."""


class Owner(NamedTuple):
    """One entry of managedFields."""

    manager: str
    operation: str  # Apply or Update
    subresource: str
    time: str | None
    api_version: str
    fields: Fields


def owners(obj: Obj) -> list[Owner]:
    """All entries of an object, as the server orders them."""
    return [
        Owner(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", ""),
            subresource=entry.get("subresource", ""),
            time=entry.get("time"),
            api_version=entry.get("apiVersion", ""),
            fields=_tree(entry.get("fieldsV1") or {}),
        )
        for entry in obj.get("metadata", {}).get("managedFields") or ()
    ]


def ours(all_owners: Iterable[Owner], manager: str) -> Owner | None:
    """What `manager` applied to the object itself; None when it never did, or others took all of it away."""
    own = (o for o in all_owners if o.manager == manager and o.operation == "Apply" and not o.subresource)
    return next(own, None)


def owns(fields: Fields, path: Path) -> bool:
    """Whether the tree has the path, or an atomic value that contains it."""
    node = fields
    for depth, step in enumerate(path):
        if step not in node:
            return depth > 0 and not node
        node = node[step]
    return True


def writer_of(all_owners: Iterable[Owner], path: Path, *, but: str | None = None) -> Owner | None:
    """Who wrote the field last, `but` left out; None when nobody is recorded: a default of the server."""
    having = [owner for owner in all_owners if owner.manager != but and owns(owner.fields, path)]
    return max(having, key=lambda owner: owner.time or "", default=None)


def shape(all_owners: Iterable[Owner]) -> Fields:
    """All trees in one: what is known about the structure of the object."""
    merged: Fields = {}
    for owner in all_owners:
        _merge(merged, owner.fields)
    return merged


def leaves(fields: Fields, path: Path = ()) -> Iterator[Path]:
    """The paths of all leaves, in the tree's order."""
    for step, below in fields.items():
        if below:
            yield from leaves(below, (*path, step))
        else:
            yield (*path, step)


def list_keys(fields: Fields) -> tuple[str, ...] | None:
    """The names of the keys of the list that this node is; None when it is no keyed list."""
    return next((tuple(name for name, _ in step.keys) for step in fields if isinstance(step, Keyed)), None)


def is_set(fields: Fields) -> bool:
    """Whether the node is a list of unique values."""
    return any(isinstance(step, Valued) for step in fields)


def _tree(fields_v1: dict[str, Any]) -> Fields:
    return {_parsed(name): _tree(below or {}) for name, below in fields_v1.items() if name != "."}


def _parsed(name: str) -> Step:
    prefix, _, rest = name.partition(":")
    match prefix:
        case "k":
            return Keyed(tuple(sorted(json.loads(rest).items())))
        case "v":
            return Valued(json.loads(rest))
        case "i":
            return int(rest)
        case _:
            return rest


def _merge(into: Fields, other: Fields) -> None:
    for step, below in other.items():
        _merge(into.setdefault(step, {}), below)
