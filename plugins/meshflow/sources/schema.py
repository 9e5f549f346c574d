"""What fields objects have: for strict checks before any cluster is asked, and for list keys in patches.

The OpenAPI definitions of the built-in kinds come with the package kubernetes-validate, those of custom resources from
their CustomResourceDefinitions (`definitions`). Checked are names, types, required fields and enumerations; patterns,
limits and rules between fields are the server's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from meshflow import complaints, positions
from meshflow.objects.reference import Obj
from meshflow.sources.manifests import Item

VERSION = "v1.36.0-local-strict"
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

UNKNOWN = "unknown field"
"""How the problem begins that a field is not known."""

Schema = Mapping[str, Any]
Problem = tuple[positions.Field, str, object]
"""Where, what is wrong, and the value that stands there."""

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def check(item: Item, custom: Schema | None = None) -> None:
    """Raise InvalidInput for the first field that is unknown, missing or of the wrong type.

    `custom` is the schema of a custom resource, from its definition; a kind that has none is not checked.
    """
    found = of(item.obj)
    wrong = problems(item.obj, found, ()) if found else _custom_problems(item.obj, custom or {})
    for path, problem, value in wrong:
        raise item.error(problem, path, value=value)


def _custom_problems(obj: Obj, schema: Schema) -> Iterator[Problem]:
    """A definition need not describe what all objects have in common."""
    yield from problems(obj["metadata"], _definitions()[METADATA], ("metadata",))
    common = ("apiVersion", "kind", "metadata")
    properties = {name: field for name, field in schema.get("properties", {}).items() if name not in common}
    body = {name: value for name, value in obj.items() if name not in common}
    yield from problems(body, {**schema, "properties": properties}, ())


def of(obj: Obj) -> Schema | None:
    """The definition of a built-in kind; None for any other."""
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    name = _kinds().get((group, version, obj["kind"]))
    return _definitions()[name] if name else None


def field(schema: Schema | None, name: str) -> Schema | None:
    """The definition of a field of an object, None where it has none."""
    if schema is None:
        return None
    resolved = _resolve(schema)
    found = resolved.get("properties", {}).get(name) or resolved.get("additionalProperties")
    return found if isinstance(found, Mapping) else None


def items(schema: Schema | None) -> Schema | None:
    """The definition of a list's items."""
    return None if schema is None else _resolve(schema).get("items")


def merge_key(schema: Schema | None) -> str | None:
    """By which key a strategic merge tells the items of a list apart; None if it replaces the list."""
    if schema is None:
        return None
    strategy = str(schema.get("x-kubernetes-patch-strategy", ""))
    return schema.get("x-kubernetes-patch-merge-key") if "merge" in strategy else None


def problems(value: Any, schema: Schema, path: positions.Field) -> Iterator[Problem]:
    """Each problem of a value, the outermost first."""
    schema = _resolve(schema)
    wanted = _types(schema)
    if wanted and not _is(value, wanted):
        yield path, f"must be {' or '.join(w for w in wanted if w != 'null')}, not {_name_of(value)}", _shown(value)
    elif schema.get("enum") and value not in schema["enum"]:
        known = [entry for entry in schema["enum"] if entry is not None]
        yield (
            path,
            f"must be one of {', '.join(map(str, known))}{complaints.suggestion(str(value), known)}",
            _shown(value),
        )
    elif isinstance(value, dict):
        yield from _problems_of_map(value, schema, path)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from problems(entry, schema.get("items", {}), (*path, number))


def _problems_of_map(value: dict[str, Any], schema: Schema, path: positions.Field) -> Iterator[Problem]:
    fields: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name, entry in value.items():
        if name in fields:
            yield from problems(entry, fields[name], (*path, name))
        elif isinstance(others, Mapping):
            yield from problems(entry, others, (*path, name))
        elif fields and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield (*path, name), f"{UNKNOWN}{complaints.suggestion(name, fields)}", None
    for name in schema.get("required", ()):
        if name not in value:
            yield path, f"the field {name!r} is missing", None


def _types(schema: Schema) -> list[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ["integer", "string"]
    found: list[str] = []
    for part in (schema, *schema.get("oneOf", ())):
        stated = part.get("type")
        found += [name for name in _TYPES if name == stated or (isinstance(stated, list) and name in stated)]
    return list(dict.fromkeys([*found, "null"] if found and schema.get("nullable") else found))


def _is(value: Any, wanted: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in wanted
    if isinstance(value, float) and value.is_integer() and "integer" in wanted:
        return True
    return any(isinstance(value, _TYPES[name]) for name in wanted)


def _name_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return next((name for name, types in _TYPES.items() if isinstance(value, types)), type(value).__name__)


def _shown(value: Any) -> object:
    return value if isinstance(value, str | int | float | bool) else None


def _resolve(schema: Schema) -> Schema:
    if not isinstance(schema, Mapping):  # in a definition that somebody wrote wrongly; the server will say so
        return {}
    reference = schema.get("$ref")
    return _definitions()[str(reference).rpartition("/")[2]] if reference else schema


@cache
def _definitions() -> dict[str, Schema]:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / VERSION
    found: dict[str, Schema] = json.loads((folder / "_definitions.json").read_bytes())["$defs"]
    return found


@cache
def _kinds() -> dict[tuple[str, str, str], str]:
    return {
        (kind["group"], kind["version"], kind["kind"]): name
        for name, definition in _definitions().items()
        for kind in definition.get("x-kubernetes-group-version-kind", ())
    }
