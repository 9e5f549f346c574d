"""How a field is named: `spec.containers[name="main"].image`, `metadata.labels["istio.io/rev"]`, `args[0]`.

A path is a tuple of steps. Items of keyed lists are named by their keys, items of sets by their value and only those of
atomic lists by their position, as in managedFields: a position would mean another item when the list is reordered.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from meshflow.objects.reference import Obj


class Keyed(NamedTuple):
    """The item of a keyed list that has these values in its key fields."""

    keys: tuple[tuple[str, Any], ...]


class Valued(NamedTuple):
    """The item of a set that is this value."""

    value: Any


Step = str | int | Keyed | Valued
Path = tuple[Step, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_$-]+")
_TOKEN = re.compile(
    r"""\.?(?P<plain>[A-Za-z0-9_$-]+)
      | \[(?P<index>\d+)\]
      | \[(?P<quoted>"(?:[^"\\]|\\.)*")\]
      | \[=(?P<value>"(?:[^"\\]|\\.)*"|[^\]"]+)\]
      | \[(?P<keys>[A-Za-z0-9_]+=(?:"(?:[^"\\]|\\.)*"|[^\],"]+)(?:,[A-Za-z0-9_]+=(?:"(?:[^"\\]|\\.)*"|[^\],"]+))*)\]
    """,
    re.VERBOSE,
)
_KEY = re.compile(r'([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^,"]+)')


def text(path: Path) -> str:
    """The path for a person; `parse` is its inverse."""
    return "".join(_step(step) for step in path).removeprefix(".")


def parse(written: str) -> Path:
    """The path that `text` wrote. ValueError on anything else."""
    steps: list[Step] = []
    position = 0
    while position < len(written):
        match = _TOKEN.match(written, position)
        if match is None:
            raise ValueError(f"no path: {written!r} at {written[position:]!r}")
        steps.append(_parsed(match))
        position = match.end()
    return tuple(steps)


def _step(step: Step) -> str:
    match step:
        case str():
            return f".{step}" if _PLAIN.fullmatch(step) else f"[{json.dumps(step)}]"
        case int():
            return f"[{step}]"
        case Keyed(keys):
            return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in keys) + "]"
        case Valued(value):
            return f"[={json.dumps(value)}]"


def _parsed(match: re.Match[str]) -> Step:
    groups = match.groupdict()
    if groups["plain"] is not None:
        return groups["plain"]
    if groups["index"] is not None:
        return int(groups["index"])
    if groups["quoted"] is not None:
        return str(json.loads(groups["quoted"]))
    if groups["value"] is not None:
        return Valued(json.loads(groups["value"]))
    return Keyed(tuple((name, json.loads(value)) for name, value in _KEY.findall(groups["keys"])))


def find(items: Any, step: Step) -> Any:
    """The child of a map or list that a step names; None when there is none."""
    if isinstance(step, str):
        return items.get(step) if isinstance(items, dict) else None
    if not isinstance(items, list):
        return None
    position = position_of(items, step)
    return None if position is None else items[position]


def position_of(items: list[Any], step: Step) -> int | None:
    """Where in a list the step points to; None when there is no such item."""
    match step:
        case Keyed(keys):
            matching = [index for index, item in enumerate(items) if isinstance(item, dict) and _has_keys(item, keys)]
            whole = [index for index in matching if all(name in items[index] for name, _ in keys)]
            return next(iter(whole or matching), None)  # one that says its protocol goes before one that leaves it out
        case Valued(value):
            return items.index(value) if value in items else None
        case int():
            return step if step < len(items) else None
        case _:
            return None


def _has_keys(item: dict[str, Any], keys: tuple[tuple[str, Any], ...]) -> bool:
    """A key that the item leaves out counts as equal: manifests leave out `protocol: TCP`."""
    return all(item.get(name, value) == value for name, value in keys) and any(name in item for name, _ in keys)


def get(obj: Obj, path: Path) -> Any:
    """The value at a path; None when it is absent."""
    value: Any = obj
    for step in path:
        value = find(value, step)
    return value


def remove(obj: Obj, path: Path) -> None:
    """Take the field at a path out of an object, in place; nothing happens when it is absent."""
    if not path:
        return
    parent, last = get(obj, path[:-1]), path[-1]
    if isinstance(parent, dict) and isinstance(last, str):
        parent.pop(last, None)
    elif isinstance(parent, list):
        position = position_of(parent, last)
        if position is not None:
            del parent[position]
