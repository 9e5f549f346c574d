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
    duplicate,
    invalid,
    not_supported,
    required,
    shown,
    too_long,
    too_many,
    wrong_type,
)
from sandbox.schema.node import MISSING, Node, Obj, Shape

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


def check(node: Node, value: Any, path: str = "") -> Iterator[FieldError]:
    """Errors of a value at a path. A value of the wrong type has no further errors."""
    if value is None and node.nullable:
        return
    wanted = JSON_TYPES.get(node.shape)
    if wanted and not _is(node.shape, value):
        yield wrong_type(path, type_of(value), wanted)
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
    seen: set[str] = set()
    for index, item in enumerate(value):
        here = f"{path}[{index}]"
        if node.list_type != "atomic":
            identity = _identity(node, item)
            if shown(identity) in seen:
                yield duplicate(here, identity)
            seen.add(shown(identity))
        yield from check(node.items, item, here)


def _identity(node: Node, item: Any) -> Any:
    if node.list_type == "set" or not isinstance(item, dict):
        return item
    found = {}
    for key in sorted(node.keys):
        field = node.items.field(key)
        default = None if field is None or field.default is MISSING else field.default
        found[key] = item.get(key, default)
    return found


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def values(rules: Any, value: Any, path: str) -> Iterator[FieldError]:
    """Errors against the value validations of a schema, those inside allOf, anyOf, oneOf and not included."""
    if not rules:
        return
    choices = rules.get("enum")
    if choices and value not in choices:
        yield not_supported(path, value, choices)
    if isinstance(value, str):
        yield from _text(rules, value, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number(rules, value, path)
    elif isinstance(value, (list, dict)):
        yield from _size(rules, value, path)
    yield from _combined(rules, value, path)


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
        yield invalid(path, value, f"{path} in body must be of type {form}: {shown(value)}")


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
    for part in rules.get("allOf") or ():
        yield from _part(part, value, path)
    if rules.get("anyOf") and not any(_fits(part, value) for part in rules["anyOf"]):
        yield invalid(path, value, f'"{path}" must validate at least one schema (anyOf)')
    if rules.get("oneOf"):
        count = sum(_fits(part, value) for part in rules["oneOf"])
        if count != 1:
            found = "none valid" if not count else f"{count} valid alternatives"
            yield invalid(path, value, f'"{path}" must validate one and only one schema (oneOf). Found {found}')
    if rules.get("not") and _fits(rules["not"], value):
        yield invalid(path, value, f'"{path}" must not validate the schema (not)')


def _fits(part: Any, value: Any) -> bool:
    return next(_part(part, value, ""), None) is None


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
