"""Whether an applied value can be typed at all.

An apply has to know the shape of every field it is to own, so what other writes forgive (unknown fields, a repeated
key) stops it, whatever the request's fieldValidation says.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.patch.errors import NotTyped
from sandbox.patch.fieldset import compact, shown
from sandbox.patch.typed import KeyMissing, step
from sandbox.schema.node import Node, Obj, Shape

TEXT = frozenset({Shape.STRING, Shape.TIME, Shape.MICRO_TIME, Shape.BYTES})
NUMERIC = frozenset({Shape.INTEGER, Shape.NUMBER})


def check(node: Node, applied: Obj) -> None:
    """Raises NotTyped, naming each field that does not fit."""
    problems: list[str] = []
    _check(node, applied, "", problems)
    if problems:
        meta = applied.get("metadata") or {}
        subject = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {_kind(node)}"
        text = problems[0] if len(problems) == 1 else "\n  ".join(["errors:", *problems])
        raise NotTyped(f"failed to create typed patch object ({subject}): {text}")


def _kind(node: Node) -> str:
    return (
        f"{node.kind.api_version if node.kind.group else '/' + node.kind.version}, Kind={node.kind.kind}"
        if node.kind
        else ""
    )


def _check(node: Node, value: Any, path: str, problems: list[str]) -> None:
    if value is None:
        return
    shape = node.shape
    if shape is Shape.STRUCT or shape is Shape.MAP:
        _check_object(node, value, path, problems)
    elif shape is Shape.LIST:
        _check_list(node, value, path, problems)
    elif shape in TEXT and not isinstance(value, str):
        problems.append(f"{path}: expected string, got {go(value)}")
    elif shape in NUMERIC and (isinstance(value, bool) or not isinstance(value, (int, float))):
        problems.append(f"{path}: expected numeric (int or float), got {_go_type(value)}")
    elif shape is Shape.BOOLEAN and not isinstance(value, bool):
        problems.append(f"{path}: expected boolean, got &{{{_plain(value)}}}")
    elif shape in (Shape.QUANTITY, Shape.INT_OR_STRING) and isinstance(value, (dict, list)):
        problems.append(f"{path}: expected scalar, got {go(value)}")


def _check_object(node: Node, value: Any, path: str, problems: list[str]) -> None:
    if not isinstance(value, dict):
        problems.append(f"{path}: expected map, got &{{{_plain(value)}}}")
        return
    for key, inner in value.items():
        field = node.field(key)
        if field is None:
            problems.append(f"{path}.{key}: field not declared in schema")
        else:
            _check(field, inner, f"{path}.{key}", problems)


def _check_list(node: Node, value: Any, path: str, problems: list[str]) -> None:
    if not isinstance(value, list):
        problems.append(f"{path}: expected list, got &{{{_plain(value)}}}")
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        name = f"[{index}]"
        if node.list_type != "atomic":
            try:
                name = shown(key := step(node, item))
            except KeyMissing as error:
                problems.append(f"{path}: element {index}: {error}")
                continue
            if key in seen:
                problems.append(f"{path}: duplicate entries for key {name}")
            seen.add(key)
        _check(node.items, item, path + name, problems)


def go(value: Any) -> str:
    """A value as the API server prints it here."""
    return f"&value.valueUnstructured{{Value:{_literal(value)}}}"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "map[string]interface {}{" + ", ".join(f"{json.dumps(k)}:{_literal(value[k])}" for k in sorted(value)) + "}"
        )
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_literal, value)) + "}"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_plain, value)) + "]"
    return value if isinstance(value, str) else compact(value)


def _go_type(value: Any) -> str:
    return {bool: "bool", str: "string", list: "[]interface {}"}.get(type(value), "map[string]interface {}")
