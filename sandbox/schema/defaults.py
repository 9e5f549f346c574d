"""Filling in what was left out.

A built-in kind gets its defaults from tables by struct (see `defaulting`), a custom resource from its schema. There, an
explicit null of a field that is not nullable counts as left out.
"""

from __future__ import annotations

from typing import Any

from sandbox.schema import zeros
from sandbox.schema.defaulting import table
from sandbox.schema.node import MISSING, Node, Obj, Shape
from sandbox.schema.plain import copied

OPAQUE = frozenset({"JSONSchemaProps", "ObjectMeta"})
"""Structs without anything to fill in below them; the first is deep."""

PARTS = ("spec", "status")
"""The parts of a kind that are structs, and so always there."""


def apply(node: Node, obj: Obj) -> None:
    """Fill in defaults, in place. `obj` is decoded; doing it twice changes nothing more."""
    if node.custom:
        _custom(node, obj)
    else:
        _builtin(node, obj)


def _builtin(node: Node, value: Any) -> None:
    if isinstance(value, list):
        if node.items.shape is Shape.STRUCT:
            for item in value:
                _builtin(node.items, item)
        return
    if not isinstance(value, dict) or node.name in OPAQUE:
        return
    _fill(node, value)
    for key, inner in value.items():
        if isinstance(inner, (dict, list)):
            field = node.field(key)
            if field is not None:
                _builtin(field, inner)
    after = table.AFTER.get(node.name)
    if after is not None:
        after(value)


def _fill(node: Node, value: Obj) -> None:
    for key in zeros.ALWAYS.get(node.name, ()):
        value.setdefault(key, {})
    for key in PARTS if node.kind else ():
        if key in node.fields:
            value.setdefault(key, {})
    for key, default in table.CONSTANTS.get(node.name, {}).items():
        if key not in value:
            value[key] = copied(default)
    rule = table.RULES.get(node.name)
    if rule is not None:
        rule(value)


def _custom(node: Node, value: Any) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item is None and node.items.default is not MISSING and not node.items.nullable:
                value[index] = copied(node.items.default)
            _custom(node.items, value[index])
    elif isinstance(value, dict):
        _custom_object(node, value)


def _custom_object(node: Node, value: Obj) -> None:
    for key, field in node.fields.items():
        if field.default is not MISSING and key not in value:
            value[key] = copied(field.default)
    for key in list(value):
        found = node.field(key)
        if found is None or not found.custom:
            continue
        if value[key] is None and not found.nullable:
            if found.default is MISSING:
                del value[key]
                continue
            value[key] = copied(found.default)
        _custom(found, value[key])
