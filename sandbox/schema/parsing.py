"""From bytes to plain data, remembering keys that an object has twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from sandbox.schema.errors import Malformed
from sandbox.schema.plain import Path, json_type, rendered


class Parsed(NamedTuple):
    """A body as plain data. `duplicates` are the paths of keys that it has twice; the last one counts."""

    value: Any
    duplicates: tuple[str, ...] = ()


def parse(body: bytes, *, yaml: bool = False) -> Parsed:
    """A body as data; it must be an object. Raises Malformed."""
    pairs: list[_Object] = []

    def collect(items: list[tuple[str, Any]]) -> _Object:
        made = _Object(items)
        if len(made) != len(items):
            seen: set[str] = set()
            made.twice = tuple(k for k, _ in items if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            pairs.append(made)
        return made

    try:
        value = _yaml(body, collect) if yaml else json.loads(body, object_pairs_hook=collect)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the object provided is unrecognized (must be of type {_accepted(yaml)}): {error}") from error
    if not isinstance(value, dict):
        raise Malformed(f"json: cannot unmarshal {json_type(value)} into Go value of type map[string]interface {{}}")
    return Parsed(value, tuple(_twice(value)) if pairs else ())


class _Object(dict[str, Any]):
    twice: tuple[str, ...] = ()


def _accepted(as_yaml: bool) -> str:
    return "YAML" if as_yaml else "JSON"


def _yaml(body: bytes, collect: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    def mapping(loader: Any, node: Any) -> Any:
        loader.flatten_mapping(node)
        return collect(
            [
                (_key(loader.construct_object(k, deep=True)), loader.construct_object(v, deep=True))
                for k, v in node.value
            ]
        )

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
    try:
        return yaml.load(body, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _twice(value: Any, path: Path = ()) -> list[str]:
    found: list[str] = []
    if isinstance(value, _Object):
        found += [rendered((path, key)) for key in value.twice]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _twice(inner, (path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += _twice(inner, (path, index))
    return found
