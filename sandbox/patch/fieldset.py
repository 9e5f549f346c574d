"""Sets of field paths, kept in the very form in which managedFields has them (FieldsV1).

A set is a tree of dicts. A key is one step: `f:name` a field, `k:{"name":"main"}` an item of a keyed list, `v:"x"` a
member of a set, `i:0` a position. A path belongs to the set when its last step leads to an empty dict, or to one with
the key `.`: then paths below it belong too.

    {"f:data": {"f:a": {}}}               .data.a
    {"f:data": {".": {}, "f:a": {}}}      .data and .data.a

Sets are values: no function here changes one, and results may share branches with their arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

Set = dict[str, Any]
DOT = "."
LEAF: Set = {}
ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def member(branch: Set) -> bool:
    """Whether the path that leads to this branch belongs to the set."""
    return not branch or DOT in branch


def union(one: Set, other: Set) -> Set:
    """The paths of either."""
    if not one or not other or one is other:
        return one or other
    made = dict(one)
    for step, branch in other.items():
        made[step] = _joined(made[step], branch) if step in made else branch
    return made


def _joined(one: Set, other: Set) -> Set:
    made = union(one, other)
    if made and DOT not in made and (not one or not other):
        return {DOT: {}, **made}
    return made


def difference(one: Set, other: Set) -> Set:
    """The paths of `one` that are not in `other`; what lies below a removed path stays."""
    made: Set = {}
    for step, branch in one.items():
        against = other.get(step)
        if step == DOT:
            continue
        if against is None:
            made[step] = branch
            continue
        _attach(made, step, difference(branch, against), kept=member(branch) and not member(against))
    return made


def intersection(one: Set, other: Set) -> Set:
    """The paths of both."""
    made: Set = {}
    for step, branch in one.items():
        against = other.get(step)
        if against is not None and step != DOT:
            _attach(made, step, intersection(branch, against), kept=member(branch) and member(against))
    return made


def _attach(made: Set, step: str, below: Set, *, kept: bool) -> None:
    if kept:
        made[step] = {DOT: {}, **below} if below else LEAF
    elif below:
        made[step] = below


def without(fields: Set, paths: Iterable[tuple[str, ...]]) -> Set:
    """The set without these fields and all that is below them. A path here is made of field names."""
    for path in paths:
        fields = _without(fields, [f"f:{name}" for name in path])
    return fields


def _without(fields: Set, steps: list[str]) -> Set:
    step, *rest = steps
    if step not in fields:
        return fields
    made = {key: branch for key, branch in fields.items() if key != step}
    if rest and fields[step]:
        below = _without(fields[step], rest)
        if below:
            made[step] = below
    return made


def paths(fields: Set, prefix: str = "") -> Iterator[str]:
    """All paths of the set as text (`.spec.containers[name="main"].image`), those of a level before those below."""
    steps = sorted(step for step in fields if step != DOT)
    for step in steps:
        if member(fields[step]):
            yield prefix + shown(step)
    for step in steps:
        yield from paths(fields[step], prefix + shown(step))


def shown(step: str) -> str:
    """One step as text."""
    sort, _, rest = step.partition(":")
    if sort == "f":
        return f".{rest}"
    if sort == "v":
        return f"[={rest}]"
    if sort == "k":
        keys = json.loads(rest)
        return "[" + ",".join(f"{key}={compact(keys[key])}" for key in sorted(keys)) + "]"
    return f"[{rest}]"


def compact(value: Any) -> str:
    """A value as JSON without spaces, keys sorted."""
    return ENCODER.encode(value)


def ordered(fields: Set) -> Set:
    """The same set with its keys in order, sharing nothing."""
    return {step: ordered(fields[step]) for step in sorted(fields)}
