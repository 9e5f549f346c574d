"""How values whose shape is known are owned: the names of their fields, and in which of them two values differ.

A value is one of three things to it: a leaf (scalars, and atomic maps and lists as a whole), a map or struct that is
shared by key, or a list that is shared by item. Items are found by their keys or, in a set, by their value; so the same
item has the same path wherever it stands in the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from sandbox.patch.fieldset import DOT, LEAF, Set, compact, union
from sandbox.schema.node import DEDUCED, MISSING, Node, Shape

EMPTY: tuple[Any, ...] = (None, {}, [])


class Manner(IntEnum):
    """How a value is owned."""

    LEAF = 0
    BY_KEY = 1
    BY_ITEM = 2


def manner(node: Node, value: Any) -> Manner:
    """How this value is owned; a value without schema decides for itself."""
    shape = node.shape
    if shape is Shape.STRUCT or shape is Shape.MAP:
        return Manner.LEAF if node.atomic else Manner.BY_KEY
    if shape is Shape.LIST:
        return Manner.LEAF if node.list_type == "atomic" else Manner.BY_ITEM
    if shape is Shape.ANY and isinstance(value, dict) and not node.atomic:
        return Manner.BY_KEY
    return Manner.LEAF


def fits(how: Manner, value: Any) -> bool:
    """Whether the value is what this manner is for; null is for all."""
    return value is None or isinstance(value, dict if how is Manner.BY_KEY else list)


def below(node: Node, key: str) -> Node:
    """The shape of what stands at a key."""
    return node.field(key) or DEDUCED


class KeyMissing(Exception):
    """A list item lacks a field of its key."""


def step(node: Node, item: Any) -> str:
    """The path step of an item of this list, in the form of FieldsV1. Raises KeyMissing."""
    if node.list_type == "set":
        return "v:" + compact(item)
    if not isinstance(item, dict):
        what = "a null element" if item is None else "non-map elements"
        raise KeyMissing(f"associative list with keys may not have {what}")
    keys: list[str] = []
    for name in sorted(node.keys):
        value = item.get(name)
        if value is None:
            value = _default(node.items, name)
        keys.append(f"{compact(name)}:{compact(value)}")
    return "k:{" + ",".join(keys) + "}"


def _default(items: Node, name: str) -> Any:
    """What a missing key counts as; in a built-in kind that is at least the zero value. Raises KeyMissing."""
    field = items.field(name)
    if field is not None and field.default is not MISSING:
        return field.default
    if field is not None and not field.custom:
        return 0 if field.shape is Shape.INTEGER else ""
    raise KeyMissing(
        f'associative list with keys has an element that omits key field "{name}" (and doesn\'t have default value)'
    )


def steps(node: Node, items: Any) -> list[tuple[str, Any]]:
    """The items of a list with their steps. Items that cannot be named (only stored objects have such) are left out."""
    found = []
    for item in items or ():
        try:
            found.append((step(node, item), item))
        except KeyMissing:
            continue
    return found


def fields(node: Node, value: Any) -> Set:
    """The paths that whoever applies this value owns: leaves, items, and maps that are empty or stand in a map."""
    return _fields(node, value) or {}


def _fields(node: Node, value: Any) -> Set | None:
    """None where nothing is owned, an empty set where the path itself is."""
    how = manner(node, value)
    if how is Manner.LEAF:
        return LEAF
    made: Set = {}
    if how is Manner.BY_KEY and isinstance(value, dict):
        known = node.fields
        for key, inner in value.items():
            owned = inner is None or inner == {} or key not in known
            _put(made, f"f:{key}", _fields(below(node, key), inner), owned=owned)
    elif how is Manner.BY_ITEM and isinstance(value, list):
        for name, inner in grouped(node, value).items():
            _put(made, name, None if isinstance(inner, Twins) else _fields(node.items, inner), owned=True)
    return made or None


def _put(made: Set, name: str, branch: Set | None, *, owned: bool) -> None:
    if branch is None:
        if owned:
            made[name] = LEAF
    elif branch and owned and DOT not in branch:
        made[name] = {DOT: {}, **branch}
    else:
        made[name] = branch


class Comparison(NamedTuple):
    """The paths in which two values differ. Added and removed values count with every map and list on the way down."""

    added: Set
    modified: Set
    removed: Set

    @property
    def changed(self) -> Set:
        return union(self.added, self.modified)


def compare(node: Node, old: Any, new: Any) -> Comparison:
    """How `new` differs from `old`; both have this shape. The order of items is no difference."""
    added, modified, removed = _compare(node, old, new)
    return Comparison(added or {}, modified or {}, removed or {})


Branches = tuple[Set | None, Set | None, Set | None]
SAME: Branches = (None, None, None)


def _compare(node: Node, old: Any, new: Any) -> Branches:
    if old is new or (old == new and isinstance(old, bool) is isinstance(new, bool)):
        return SAME
    if isinstance(old, Twins) or isinstance(new, Twins):
        return _compare_twins(node, old, new)
    if old is MISSING:
        return _everything(node, new), None, None
    if new is MISSING:
        return None, None, _everything(node, old)
    how = manner(node, new)
    if node.shape is Shape.ANY and how is not manner(node, old):
        return _below_all(node, new), LEAF, _below_all(node, old)
    if how is Manner.LEAF or not (fits(how, old) and fits(how, new)) or (old in EMPTY and new in EMPTY):
        return None, LEAF, None
    parts: tuple[Set, Set, Set] = ({}, {}, {})
    for name, inner, one, other in _pairs(node, how, old, new):
        for part, branch in zip(parts, _compare(inner, one, other), strict=True):
            if branch is not None:
                part[name] = branch
    added, modified, removed = (part or None for part in parts)
    return added, modified, removed


def _compare_twins(node: Node, old: Any, new: Any) -> Branches:
    """Twins have one owner together: an item that gets or loses a twin is another thing afterwards."""
    if isinstance(old, Twins) and isinstance(new, Twins):
        return None, LEAF, None
    if isinstance(new, Twins):
        return LEAF, None, None if old is MISSING else _everything(node, old)
    return None if new is MISSING else _everything(node, new), None, LEAF


def _pairs(node: Node, how: Manner, old: Any, new: Any) -> Iterator[tuple[str, Node, Any, Any]]:
    if how is Manner.BY_KEY:
        old, new = old or {}, new or {}
        for key in {**old, **new}:
            yield f"f:{key}", below(node, key), old.get(key, MISSING), new.get(key, MISSING)
    else:
        one, other = grouped(node, old), grouped(node, new)
        for name in {**one, **other}:
            yield name, node.items, one.get(name, MISSING), other.get(name, MISSING)


class Twins(list[Any]):
    """Several items of one name. No apply may have them, but a stored list may (an `env` by POST, for one)."""


def grouped(node: Node, items: Any) -> dict[str, Any]:
    """Items by step, in their order; Twins where there are several of one name."""
    found: dict[str, Twins] = {}
    for name, item in steps(node, items):
        found.setdefault(name, Twins()).append(item)
    return {name: group[0] if len(group) == 1 else group for name, group in found.items()}


def _below_all(node: Node, value: Any) -> Set | None:
    """All paths below this one; None where there are none."""
    return {name: branch for name, branch in _everything(node, value).items() if name != DOT} or None


def _everything(node: Node, value: Any) -> Set:
    """This path and all below it."""
    how = manner(node, value)
    made: Set = {}
    if how is Manner.BY_KEY and isinstance(value, dict):
        made = {f"f:{key}": _everything(below(node, key), inner) for key, inner in value.items()}
    elif how is Manner.BY_ITEM and isinstance(value, list):
        items = grouped(node, value).items()
        made = {name: LEAF if isinstance(inner, Twins) else _everything(node.items, inner) for name, inner in items}
    return {DOT: {}, **made} if made else LEAF
