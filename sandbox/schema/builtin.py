"""The built-in kinds of Kubernetes, from the OpenAPI definitions in the package kubernetes-validate.

What the definitions do not tell, because it is a matter of Go, is in `zeros`.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sandbox.schema import zeros
from sandbox.schema.node import UNTYPED, Kind, Node, Shape

VERSION = "v1.36.0-local"
REF = "#/$defs/"

SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Shape.QUANTITY,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Shape.INT_OR_STRING,
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": Shape.TIME,
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": Shape.MICRO_TIME,
}
SCALARS = {
    "string": Shape.STRING,
    "integer": Shape.INTEGER,
    "number": Shape.NUMBER,
    "boolean": Shape.BOOLEAN,
}
KEY_DEFAULTS = {("ContainerPort", "protocol"): "TCP", ("ServicePort", "protocol"): "TCP"}
"""Defaults that count when the key of a list item is made."""


def of(group: str, version: str, kind: str) -> Node | None:
    """The schema of a built-in kind; None for one that Kubernetes does not have."""
    name = _names().get(Kind(group, version, kind))
    return _root(name, Kind(group, version, kind)) if name else None


def kinds() -> list[Kind]:
    """All built-in kinds that have a schema, sorted."""
    return sorted(_names())


def metadata() -> Node:
    """The schema of metadata, which all kinds share."""
    return _reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


class Builtin(Node):
    """A node made from a definition, or from a property with what it adds to the definition it refers to."""

    def __init__(self, schema: Mapping[str, Any], *, name: str = "", kind: Kind | None = None) -> None:
        """`name` is that of the definition, in full; empty for a property that has none."""
        self._schema = schema
        self.name, self.kind = _short(name), kind
        self.type = ".".join(name.split(".")[-2:]) or schema.get("format", "")
        self.shape = _shape(schema)
        self.required = tuple(schema.get("required", ()))
        self._merging(schema)

    def _merging(self, schema: Mapping[str, Any]) -> None:
        self.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        self.list_type = schema.get("x-kubernetes-list-type", "atomic")
        self.keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
        self.patch_strategy = schema.get("x-kubernetes-patch-strategy", "")
        self.patch_key = schema.get("x-kubernetes-patch-merge-key", "")

    @cached_property
    def fields(self) -> Mapping[str, Node]:
        properties = self._schema.get("properties", {})
        return {name: _property(schema, self.name, name) for name, schema in properties.items()}

    @cached_property
    def items(self) -> Node:
        inner = self._schema.get("items") or self._schema.get("additionalProperties")
        return _property(inner, self.name, "") if inner else UNTYPED

    @cached_property
    def omitted(self) -> frozenset[str]:  # type: ignore[override]
        optional = {name: node for name, node in self.fields.items() if name not in self.required}
        return frozenset(name for name, node in optional.items() if zeros.goes(node.shape, self.name, name))


def _shape(schema: Mapping[str, Any]) -> Shape:
    declared = schema.get("type")
    kind = declared[0] if isinstance(declared, list) else declared
    if kind == "object":
        if "properties" in schema:
            return Shape.STRUCT
        return Shape.MAP if "additionalProperties" in schema else Shape.STRUCT
    if kind == "array":
        return Shape.LIST
    if kind == "string" and schema.get("format") == "byte":
        return Shape.BYTES
    return SCALARS.get(str(kind), Shape.ANY)


def _property(schema: Mapping[str, Any], owner: str, name: str) -> Node:
    reference = schema.get("$ref")
    if reference is None:
        node: Node = Builtin(schema)
        if (owner, name) in KEY_DEFAULTS:
            node.default = KEY_DEFAULTS[owner, name]
        return node
    target = reference.removeprefix(REF)
    if not any(key.startswith("x-kubernetes") for key in schema):
        return _reference(target)
    definition = {**definitions()[target], **{k: v for k, v in schema.items() if k.startswith("x-kubernetes")}}
    return Builtin(definition, name=target)


@cache
def _reference(name: str) -> Node:
    if name in SPECIAL:
        node: Node = Node()
        node.shape, node.name = SPECIAL[name], _short(name)
        return node
    schema = definitions()[name]
    if name.endswith(("RawExtension", "FieldsV1")) or "type" not in schema:
        return UNTYPED
    return Builtin(schema, name=name)


@cache
def _root(name: str, kind: Kind) -> Node:
    return Builtin(definitions()[name], name=name, kind=kind)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


@cache
def definitions() -> dict[str, Any]:
    """All definitions by name (`io.k8s.api.apps.v1.Deployment`), without their descriptions. Not to be changed."""
    found: dict[str, Any] = json.loads(_document().read_bytes())["$defs"]
    for definition in found.values():
        definition.pop("description", None)
        for schema in definition.get("properties", {}).values():
            schema.pop("description", None)
    return found


def _document() -> Path:
    """The file with the definitions. The package is looked up, not imported: that takes longer than reading it."""
    spec = importlib.util.find_spec("kubernetes_validate")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModuleNotFoundError("the sandbox needs the package kubernetes-validate for its schemas")
    return Path(folders[0]) / "kubernetes-json-schema" / VERSION / "_definitions.json"


@cache
def _names() -> dict[Kind, str]:
    found: dict[Kind, str] = {}
    for name, definition in definitions().items():
        for entry in definition.get("x-kubernetes-group-version-kind", ()):
            found[Kind(entry["group"], entry["version"], entry["kind"])] = name
    return found
