"""CustomResourceDefinitions: their names, versions, and whether their schemas are structural."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

SCOPES = ("Cluster", "Namespaced")
LIST_TYPES = ("atomic", "map", "set")
TYPES = ("array", "boolean", "integer", "number", "object", "string")


def definition(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    group, called = spec.get("group", ""), spec.get("names") or {}
    plural = called.get("plural", "")
    if (obj.get("metadata") or {}).get("name") != f"{plural}.{group}":
        yield invalid(
            "metadata.name", (obj.get("metadata") or {}).get("name", ""), 'must be spec.names.plural+"."+spec.group'
        )
    if not group:
        yield required("spec.group")
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in SCOPES:
        yield not_supported("spec.scope", spec.get("scope", ""), SCOPES)
    yield from _names(called)
    yield from _versions(spec.get("versions") or (), "spec.versions")
    if old is not None:
        yield from _unchanged(spec, old.get("spec") or {})


def _names(called: Obj) -> Iterator[FieldError]:
    for name in ("plural", "singular", "kind", "listKind"):
        value = called.get(name)
        if not value:
            yield required(f"spec.names.{name}")
        else:
            yield from (invalid(f"spec.names.{name}", value, text) for text in names.label_1035(value.lower()))
    if called.get("kind") and called.get("kind") == called.get("listKind"):
        yield invalid("spec.names.listKind", called["listKind"], "kind and listKind may not be the same")


def _versions(versions: Any, path: str) -> Iterator[FieldError]:
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid(path, versions, "must have exactly one version marked as storage version")
    seen: set[str] = set()
    for index, version in enumerate(versions):
        here, name = f"{path}[{index}]", version.get("name", "")
        yield from (invalid(f"{here}.name", name, text) for text in names.label_1035(name))
        if name in seen:
            yield invalid(path, [each.get("name") for each in versions], "must contain unique version names")
        seen.add(name)
        root = (version.get("schema") or {}).get("openAPIV3Schema")
        if root is None:
            yield required(f"{here}.schema.openAPIV3Schema", "schemas are required")
        else:
            yield from _schema(root, f"{here}.schema.openAPIV3Schema", root=True)


def _schema(schema: Obj, path: str, *, root: bool = False) -> Iterator[FieldError]:
    """Whether a schema is structural: each value has one type, so that one knows how to prune, default and merge it."""
    kind, free = schema.get("type"), schema.get("x-kubernetes-preserve-unknown-fields")
    if root and kind != "object":
        yield (
            invalid(f"{path}.type", kind or "", "must be object at the root")
            if kind
            else required(f"{path}.type", "must not be empty at the root")
        )
    elif not kind and not free and not schema.get("x-kubernetes-int-or-string"):
        yield required(f"{path}.type", "must not be empty for specified object fields")
    elif kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if "properties" in schema and schema.get("additionalProperties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    yield from _list_type(schema, path)
    for name, inner in (schema.get("properties") or {}).items():
        if not (root and name == "metadata"):
            yield from _schema(inner, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _schema(schema[name], f"{path}.{name}")


def _list_type(schema: Obj, path: str) -> Iterator[FieldError]:
    if (
        schema.get("type") == "array"
        and not schema.get("items")
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        yield required(f"{path}.items", "must be specified")
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if kind and kind not in LIST_TYPES:
        yield not_supported(f"{path}.x-kubernetes-list-type", kind, LIST_TYPES)
    if kind == "map" and not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    if keys and kind != "map":
        yield forbidden(f"{path}.x-kubernetes-list-map-keys", "must not be set unless x-kubernetes-list-type is map")


def _unchanged(spec: Obj, old: Obj) -> Iterator[FieldError]:
    for name in ("group", "scope"):
        if spec.get(name) != old.get(name):
            yield invalid(f"spec.{name}", spec.get(name), "field is immutable")
    for name in ("kind", "plural"):
        value = (spec.get("names") or {}).get(name)
        if value != (old.get("names") or {}).get(name):
            yield invalid(f"spec.names.{name}", value, "field is immutable")
