"""The schema of a custom resource, from the openAPIV3Schema of one version of its definition.

Lists are atomic unless `x-kubernetes-list-type` says otherwise, maps and structs are shared by field unless
`x-kubernetes-map-type` does. apiVersion, kind and metadata are those of every object, whatever the definition says of
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sandbox.schema import builtin
from sandbox.schema.node import DEDUCED, MISSING, Kind, Node, Shape

SHAPES = {
    "string": Shape.STRING,
    "integer": Shape.INTEGER,
    "number": Shape.NUMBER,
    "boolean": Shape.BOOLEAN,
    "array": Shape.LIST,
}


def compile(openapi: Mapping[str, Any] | None, *, group: str, version: str, kind: str) -> Node:  # noqa: A001 - as in re.compile
    """The node of one version. None as the schema means that everything is preserved."""
    schema = openapi or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return Custom(schema, kind=Kind(group, version, kind))


class Custom(Node):
    """A node made from a structural schema."""

    custom = True

    def __init__(self, schema: Mapping[str, Any], *, kind: Kind | None = None) -> None:
        self.rules, self.kind = schema, kind
        self.name = kind.kind if kind else ""
        self.shape = _shape(schema)
        self.preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(schema.get("x-kubernetes-embedded-resource"))
        self.required = tuple(schema.get("required") or ())
        self.default = schema.get("default", MISSING)
        self.nullable = bool(schema.get("nullable"))
        self.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        self.list_type = schema.get("x-kubernetes-list-type") or "atomic"
        self.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())

    @cached_property
    def fields(self) -> Mapping[str, Node]:
        made: dict[str, Node] = {}
        for name, schema in (self.rules.get("properties") or {}).items():
            made[name] = Custom(schema)
        if self.kind or self.embedded:
            text = Custom({"type": "string"})
            made.update(apiVersion=text, kind=text, metadata=builtin.metadata())
        return made

    @cached_property
    def items(self) -> Node:
        inner = self.rules.get("items") if self.shape is Shape.LIST else self.rules.get("additionalProperties")
        return Custom(inner) if isinstance(inner, Mapping) else DEDUCED


def _shape(schema: Mapping[str, Any]) -> Shape:
    if schema.get("x-kubernetes-int-or-string"):
        return Shape.INT_OR_STRING
    kind = schema.get("type")
    if kind == "object":
        return Shape.MAP if schema.get("additionalProperties") else Shape.STRUCT
    return SHAPES.get(str(kind), Shape.ANY)
