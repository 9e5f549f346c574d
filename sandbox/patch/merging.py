"""What server-side apply makes of values: the live and the applied one in one, without what nobody wants any more."""

from __future__ import annotations

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

    The walk has a finger in each list. While the live item is also an applied one whose turn has not come, it is passed
    over; a live item of others is taken where it stands; else the next applied item is taken.
    """
    left, right = typed.steps(node, live), typed.steps(node, applied)
    ours, theirs = dict(right), typed.grouped(node, live)
    shared = iter([name for name, _ in right if name in theirs])
    turn = next(shared, None)
    merged: list[Any] = []
    done: set[str] = set()
    at_left = at_right = 0

    def take(name: str) -> None:
        done.add(name)
        old = theirs.get(name, MISSING)
        merged.append(merge(node.items, MISSING if isinstance(old, typed.Twins) else old, ours[name]))

    while at_left < len(left) or at_right < len(right):
        if at_left < len(left) and at_right < len(right):
            name = left[at_left][0]
            if name == right[at_right][0]:
                take(name)
                at_left, at_right, turn = at_left + 1, at_right + 1, next(shared, None)
                continue
            if name in ours and turn is not None and turn != name:
                at_left += 1
                continue
        if at_left < len(left):
            name, item = left[at_left]
            if name not in ours:
                merged.append(item)
                at_left += 1
                continue
            if name in done:
                at_left += 1
        if at_right < len(right):
            name = right[at_right][0]
            take(name)
            at_right += 1
            if turn == name:
                turn = next(shared, None)
    return merged


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
