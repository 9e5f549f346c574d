"""A custom resource against the schema of its definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any

from sandbox.schema.errors import (
    FieldError,
    Reason,
    duplicate,
    invalid,
    not_supported,
    required,
    shown,
    too_long,
    too_many,
    wrong_type,
)
from sandbox.schema.node import Node, Obj, Shape

JSON_TYPES = {
    Shape.STRUCT: "object",
    Shape.MAP: "object",
    Shape.LIST: "array",
    Shape.STRING: "string",
    Shape.INTEGER: "integer",
    Shape.NUMBER: "number",
    Shape.BOOLEAN: "boolean",
    Shape.INT_OR_STRING: "integer,string",
}


NOWHERE = "<nil>"
ONE = "must validate one and only one schema (oneOf). {found}"


def check(node: Node, value: Any, path: str = "") -> Iterator[FieldError]:
    """Errors of a value at a path. A value of the wrong type has no further errors."""
    if value is None and node.nullable:
        return
    wanted = JSON_TYPES.get(node.shape)
    if wanted and not _is(node.shape, value):
        yield wrong_type(path, type_of(value), wanted)
        yield from _choice(node.rules, value, path)
        return
    yield from values(node.rules, value, path)
    if isinstance(value, dict):
        yield from _object(node, value, path)
    elif isinstance(value, list):
        yield from _list(node, value, path)


def type_of(value: Any) -> str:
    """The JSON type of a value, as errors name it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return {str: "string", float: "number", dict: "object", list: "array"}.get(type(value), "null")


def _is(shape: Shape, value: Any) -> bool:
    found = type_of(value)
    if shape is Shape.INT_OR_STRING:
        return found in ("integer", "string")
    return found == JSON_TYPES[shape] or (shape is Shape.NUMBER and found == "integer")


def _object(node: Node, value: Obj, path: str) -> Iterator[FieldError]:
    for name in node.required:
        if name not in value:
            yield required(_at(path, name))
    for key, inner in value.items():
        field = node.field(key)
        if field is not None and field.custom:
            yield from check(field, inner, _at(path, key))


def _list(node: Node, value: list[Any], path: str) -> Iterator[FieldError]:
    if node.list_type != "atomic":
        yield from _unique(node, value, path)
    for index, item in enumerate(value):
        yield from check(node.items, item, f"{path}[{index}]")


def _unique(node: Node, value: list[Any], path: str) -> Iterator[FieldError]:
    """No item twice in a set or keyed list; the second of several is the one that is told."""
    seen: dict[str, int] = {}
    for index, item in enumerate(value):
        if node.list_type == "map" and not isinstance(item, dict):
            yield invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")
            return
    for index, item in enumerate(value):
        identity = item if node.list_type == "set" else {key: item[key] for key in sorted(node.keys) if key in item}
        name = shown(identity)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 2:
            yield duplicate(f"{path}[{index}]", identity)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def values(rules: Any, value: Any, path: str) -> Iterator[FieldError]:
    """Errors against the value validations of a schema, those inside allOf, anyOf, oneOf and not included."""
    if not rules:
        return
    yield from _choice(rules, value, path)
    if isinstance(value, str):
        yield from _text(rules, value, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number(rules, value, path)
    elif isinstance(value, (list, dict)):
        yield from _size(rules, value, path)
    yield from _combined(rules, value, path)


def _choice(rules: Any, value: Any, path: str) -> Iterator[FieldError]:
    choices = rules.get("enum")
    if choices and value not in choices:
        yield not_supported(path, value, choices)


def _text(rules: Any, value: str, path: str) -> Iterator[FieldError]:
    longest, shortest = rules.get("maxLength"), rules.get("minLength")
    if longest is not None and len(value) > longest:
        yield too_long(path, longest)
    if shortest is not None and len(value) < shortest:
        yield invalid(path, value, f"{path} in body should be at least {shortest} chars long")
    pattern = rules.get("pattern")
    if pattern and not _pattern(pattern).search(value):
        yield invalid(path, value, f"{path} in body should match '{pattern}'")
    form = rules.get("format")
    if form in FORMATS and not FORMATS[form](value):
        text = f"Invalid value: {shown(value)}: {path} in body must be of type {form}: {shown(value)}"
        yield FieldError(Reason.TYPE_INVALID, path, text)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text.replace(r"\z", r"\Z"))
    except re.error:
        return re.compile("")  # a pattern of Go's dialect that Python cannot read forbids nothing here


def _date_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return "T" in value.upper()


def _ip(value: str, version: int | None = None) -> bool:
    try:
        return version in (None, ip_address(value).version)
    except ValueError:
        return False


UUID = re.compile(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "ipv4": partial(_ip, version=4),
    "ipv6": partial(_ip, version=6),
    "uuid": lambda value: UUID.fullmatch(value) is not None,
}


def _number(rules: Any, value: float, path: str) -> Iterator[FieldError]:
    low, high, step = rules.get("minimum"), rules.get("maximum"), rules.get("multipleOf")
    if low is not None and (value < low or (value == low and rules.get("exclusiveMinimum"))):
        word = "greater than" if rules.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid(path, value, f"{path} in body should be {word} {shown(low)}")
    if high is not None and (value > high or (value == high and rules.get("exclusiveMaximum"))):
        word = "less than" if rules.get("exclusiveMaximum") else "less than or equal to"
        yield invalid(path, value, f"{path} in body should be {word} {shown(high)}")
    if step and value % step:
        yield invalid(path, value, f"{path} in body should be a multiple of {shown(step)}")


def _size(rules: Any, value: Any, path: str) -> Iterator[FieldError]:
    word = "items" if isinstance(value, list) else "properties"
    name = word.capitalize()
    most, least = rules.get(f"max{name}"), rules.get(f"min{name}")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield invalid(path, len(value), f"{path} in body should have at least {least} {word}")


def _combined(rules: Any, value: Any, path: str) -> Iterator[FieldError]:
    """Errors of a combination come without a path; those of the part that fits best come along."""
    for word, demand in (("anyOf", "must validate at least one schema (anyOf)"), ("oneOf", ONE)):
        parts = [list(_part(part, value, path)) for part in rules.get(word) or ()]
        fitting = sum(not problems for problems in parts)
        if not parts or fitting == 1 or (fitting and word == "anyOf"):
            continue
        found = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
        yield invalid(NOWHERE, "", f'"{path}" {demand.format(found=found)}')
        if not fitting:
            yield from min(parts, key=len)
    parts = [list(_part(part, value, path)) for part in rules.get("allOf") or ()]
    yield from (problem for problems in parts for problem in problems)
    if any(parts):
        yield invalid(NOWHERE, "", f'"{path}" must validate all the schemas (allOf){". None validated" * all(parts)}')
    if rules.get("not") and next(_part(rules["not"], value, path), None) is None:
        yield invalid(NOWHERE, "", f'"{path}" must not validate the schema (not)')


def _part(part: Any, value: Any, path: str) -> Iterator[FieldError]:
    """Errors against a schema inside a combination, which has value validations alone, at any depth."""
    wanted = part.get("type")
    if wanted and type_of(value) != wanted and not (wanted == "number" and type_of(value) == "integer"):
        yield wrong_type(path, type_of(value), wanted)
        return
    yield from values(part, value, path)
    if isinstance(value, dict):
        yield from (required(_at(path, name)) for name in part.get("required") or () if name not in value)
        for name, inner in (part.get("properties") or {}).items():
            if name in value:
                yield from _part(inner, value[name], _at(path, name))
    elif isinstance(value, list) and isinstance(part.get("items"), dict):
        for index, item in enumerate(value):
            yield from _part(part["items"], item, f"{path}[{index}]")
