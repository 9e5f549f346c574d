"""What server-side apply makes of values: the live and the applied one in one, without what nobody wants any more."""

from __future__ import annotations

from collections import deque
from typing import Any

from sandbox.patch import typed
from sandbox.patch.fieldset import DOT, Set, difference, intersection, member, union
from sandbox.schema.node import MISSING, Node


def merge(node: Node, live: Any, applied: Any) -> Any:
    """The live value with what is applied on top. Shares parts with both."""
    if applied is MISSING:
        return live
    if live is MISSING:
        return applied
    how = typed.manner(node, applied)
    if how is typed.Manner.LEAF or not typed.fits(how, live) or (live in typed.EMPTY and applied in typed.EMPTY):
        return applied
    if how is typed.Manner.BY_ITEM:
        return _merge_items(node, live or [], applied or [])
    merged = dict(live or {})
    for key, inner in (applied or {}).items():
        merged[key] = merge(typed.below(node, key), merged.get(key, MISSING), inner)
    return merged


def _merge_items(node: Node, live: list[Any], applied: list[Any]) -> list[Any]:
    """Both lists in one. Items in both come in the applied order; the others stay between their old neighbours.

    Before an applied item is taken, the live items up to the next one that both lists have go ahead of it: those of
    others are taken, those whose turn is still to come are passed over.
    """
    ours, theirs = typed.steps(node, applied), typed.grouped(node, live)
    names = {name for name, _ in ours}
    left = deque(typed.steps(node, live))
    turns = deque(name for name, _ in ours if name in theirs)
    merged: list[Any] = []
    for name, item in ours:
        merged += _until(left, turns[0] if turns else None, names)
        old = theirs.get(name, MISSING)
        merged.append(merge(node.items, MISSING if isinstance(old, typed.Twins) else old, item))
        if turns and turns[0] == name:
            turns.popleft()
    return merged + _until(left, None, names)


def _until(left: deque[tuple[str, Any]], turn: str | None, names: set[str]) -> list[Any]:
    """Take the items of others from the left, as far as the item whose turn it is."""
    taken = []
    while left and left[0][0] != turn:
        name, item = left.popleft()
        if name not in names:
            taken.append(item)
    return taken


def remove(node: Node, value: Any, paths: Set) -> Any:
    """The value without these paths; shares the rest with it. A map or list that is emptied by it stays, empty."""
    how = typed.manner(node, value)
    if how is typed.Manner.BY_KEY and isinstance(value, dict):
        kept = {key: _removed(typed.below(node, key), inner, paths.get(f"f:{key}")) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner is not MISSING}
    if how is typed.Manner.BY_ITEM and isinstance(value, list):
        items = [_removed(node.items, inner, paths.get(_named(node, inner))) for inner in value]
        return [item for item in items if item is not MISSING]
    return type(value)() if isinstance(value, (dict, list)) else value


def _named(node: Node, item: Any) -> str:
    try:
        return typed.step(node, item)
    except typed.KeyMissing:
        return ""


def _removed(node: Node, value: Any, branch: Set | None) -> Any:
    if branch is None:
        return value
    return MISSING if member(branch) else remove(node, value, branch)


def with_structs(node: Node, paths: Set) -> Set:
    """The set with each named field of a struct on the way to a path, so that a struct counts like a field."""
    made: Set = {}
    for name, branch in paths.items():
        if name == DOT or not branch:
            made[name] = branch
            continue
        inner, named = _below_step(node, name)
        grown = with_structs(inner, branch)
        made[name] = {DOT: {}, **grown} if named and DOT not in grown else grown
    return made


def _below_step(node: Node, name: str) -> tuple[Node, bool]:
    if name.startswith("f:"):
        key = name[2:]
        return typed.below(node, key), key in node.fields
    return node.items, False


def prune(node: Node, merged: Any, last: Set, owned: Set) -> Any:
    """What an apply leaves of `merged`: without the paths of `last` (the manager's apply before) that nobody owns now.

    Taking out is coarse at first (a struct goes with all that is in it), then what others own or nobody ever owned
    comes back: that is how the real one decides which emptied structs and items stay.
    """
    if not difference(last, owned):
        return merged
    every = with_structs(node, typed.fields(node, merged))
    wanted, mine = with_structs(node, owned), with_structs(node, last)
    pruned = remove(node, merged, mine)
    left = with_structs(node, typed.fields(node, pruned))
    pruned = remove(node, merged, difference(every, union(left, wanted)))
    left = with_structs(node, typed.fields(node, pruned))
    gone = intersection(difference(every, left), mine)
    return remove(node, merged, gone)
