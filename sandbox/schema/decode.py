"""From bytes to an object of its kind.

Two readers, as in the API server. A built-in kind is read into a struct: what the struct does not have is dropped, a value
of the wrong type stops everything, nulls and empty optional values vanish, quantities take their normal form. A custom
resource is only pruned: its values are judged later, by `validate`, so that all errors come together.

Both say which fields they did not know. What becomes of that is the request's choice: `Strict` refuses, `Warn` (the
default) tells, `Ignore` says nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from sandbox.schema import builtin, quantity
from sandbox.schema.errors import Malformed, StrictFailure, WrongType
from sandbox.schema.node import DEDUCED, Node, Obj, Shape

Path = tuple[Any, ...]
"""A path as nested pairs: () or (parent path, step). Steps are strings (fields) and integers (indexes)."""

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
INTEGERS = {"int32": 2**31, "int64": 2**63}
LEFT_OUT = object()


class Parsed(NamedTuple):
    """A body as plain data. `duplicates` are the paths of keys that it has twice; the last one counts."""

    value: Any
    duplicates: tuple[str, ...] = ()


class Decoded(NamedTuple):
    """An object as its kind has it, and one warning for each field that was unknown or twice there."""

    obj: Obj
    warnings: tuple[str, ...] = ()


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
        raise Malformed(f"json: cannot unmarshal {_json_type(value)} into Go value of type map[string]interface {{}}")
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


def decode(node: Node, value: Obj, *, field_validation: str = "Warn", duplicates: tuple[str, ...] = ()) -> Decoded:
    """The object as its kind has it, sharing nothing with `value`.

    Raises WrongType for a built-in kind, StrictFailure under field_validation="Strict" for unknown and duplicate fields.
    """
    reader = _Pruner() if node.custom else _Reader()
    try:
        obj = reader.read(node, value, ())
    except _Mismatch as error:
        raise WrongType(f"{_headline(node, value)}: {error}") from error
    if field_validation == "Ignore":
        return Decoded(obj)
    problems = [f'unknown field "{path}"' for path in reader.unknown]
    problems += [f'duplicate field "{path}"' for path in duplicates]
    if problems and field_validation == "Strict":
        raise StrictFailure(f"{_headline(node, value)}: strict decoding error: {', '.join(problems)}")
    return Decoded(obj, tuple(problems))


def _headline(node: Node, value: Obj) -> str:
    if node.kind is None:
        return "error decoding"
    return f'{node.kind.kind} in version "{node.kind.version}" cannot be handled as a {node.kind.kind}'


def rendered(path: Path) -> str:
    """`spec.containers[0].image` for a path of nested pairs."""
    steps: list[Any] = []
    while path:
        path, step = path
        steps.append(step)
    text = ""
    for step in reversed(steps):
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class _Mismatch(Exception):
    """A value has the wrong JSON type."""


class _Reader:
    """Reads values of a built-in kind."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self._by_shape: dict[Shape, Callable[[Node, Any, Path], Any]] = {
            Shape.STRUCT: self._struct,
            Shape.MAP: self._map,
            Shape.LIST: self._list,
            Shape.STRING: self._string,
            Shape.TIME: self._time,
            Shape.MICRO_TIME: self._time,
            Shape.BYTES: self._bytes,
            Shape.INTEGER: self._integer,
            Shape.NUMBER: self._number,
            Shape.BOOLEAN: self._boolean,
            Shape.QUANTITY: self._quantity,
            Shape.INT_OR_STRING: self._int_or_string,
            Shape.ANY: self._any,
        }

    def read(self, node: Node, value: Any, path: Path) -> Any:
        return self._by_shape[node.shape](node, value, path)

    def _struct(self, node: Node, value: Any, path: Path) -> Obj:
        if not isinstance(value, dict):
            raise _mismatch(value, node, path)
        made: Obj = {}
        fields, omitted = node.fields, node.omitted
        for key, inner in value.items():
            field = fields.get(key)
            if field is None:
                self.unknown.append(rendered((path, key)))
            elif inner is not None:
                read = self._by_shape[field.shape](field, inner, (path, key))
                if read or key not in omitted:
                    made[key] = read
        return made

    def _map(self, node: Node, value: Any, path: Path) -> Obj:
        if not isinstance(value, dict):
            raise _mismatch(value, node, path)
        items = node.items
        read = self._by_shape[items.shape]
        return {key: _zero(items) if inner is None else read(items, inner, (path, key)) for key, inner in value.items()}

    def _list(self, node: Node, value: Any, path: Path) -> list[Any]:
        if not isinstance(value, list):
            raise _mismatch(value, node, path)
        items = node.items
        read = self._by_shape[items.shape]
        return [_zero(items) if v is None else read(items, v, (path, i)) for i, v in enumerate(value)]

    def _string(self, node: Node, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, node, path)
        return value

    def _time(self, node: Node, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, node, path)
        match = TIME.fullmatch(value)
        if match is None:
            raise _Mismatch(
                f'parsing time {json.dumps(value)} as "2006-01-02T15:04:05Z07:00": cannot parse {json.dumps(value)}'
            )
        if node.shape is Shape.MICRO_TIME and match[1] is None:
            raise _Mismatch(
                f'parsing time {json.dumps(value)} as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{match[2]}" as ".000000"'
            )
        return value

    def _bytes(self, node: Node, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, node, path)
        text = "".join(value.split())
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise _Mismatch(f"illegal base64 data in {rendered(path)}: {error}") from error
        return text

    def _integer(self, node: Node, value: Any, path: Path) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _mismatch(value, node, path)
        return value

    def _number(self, node: Node, value: Any, path: Path) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _mismatch(value, node, path)
        return value

    def _boolean(self, node: Node, value: Any, path: Path) -> bool:
        if not isinstance(value, bool):
            raise _mismatch(value, node, path)
        return value

    def _quantity(self, node: Node, value: Any, path: Path) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise _mismatch(value, node, path)
        try:
            return quantity.normal(value if isinstance(value, str) else json.dumps(value))
        except ValueError as error:
            raise _Mismatch(str(error)) from error

    def _int_or_string(self, node: Node, value: Any, path: Path) -> int | str:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise _mismatch(value, node, path)
        return value

    def _any(self, node: Node, value: Any, path: Path) -> Any:
        return copied(value)


def _zero(node: Node) -> Any:
    """What null is inside a list or map."""
    match node.shape:
        case Shape.STRUCT | Shape.MAP:
            return {}
        case Shape.STRING | Shape.BYTES:
            return ""
        case Shape.QUANTITY:
            return "0"
        case Shape.INTEGER | Shape.NUMBER:
            return 0
        case Shape.BOOLEAN:
            return False
    return None


GO_TYPES = {
    Shape.STRING: "string",
    Shape.BYTES: "[]uint8",
    Shape.INTEGER: "int32",
    Shape.NUMBER: "float64",
    Shape.BOOLEAN: "bool",
    Shape.MAP: "map[string]string",
    Shape.QUANTITY: "resource.Quantity",
    Shape.INT_OR_STRING: "intstr.IntOrString",
    Shape.TIME: "v1.Time",
    Shape.MICRO_TIME: "v1.MicroTime",
}


def _mismatch(value: Any, node: Node, path: Path) -> _Mismatch:
    steps = re.sub(r"\[\d+\]", "", rendered(path))
    wanted = GO_TYPES.get(node.shape) or (f"[]{node.items.name}" if node.shape is Shape.LIST else f"v1.{node.name}")
    return _Mismatch(f"json: cannot unmarshal {_json_type(value)} into Go struct field {steps} of type {wanted}")


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return {dict: "object", _Object: "object", list: "array", str: "string"}.get(type(value), "null")


def copied(value: Any) -> Any:
    """A deep copy of plain JSON data; several times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


class _Pruner:
    """Prunes values of a custom resource. metadata is read as that of a built-in kind is."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def read(self, node: Node, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return self._object(node, value, path)
        if isinstance(value, list):
            items = node.items if node.shape is Shape.LIST else DEDUCED
            return [self.read(items, inner, (path, index)) for index, inner in enumerate(value)]
        return value

    def _object(self, node: Node, value: Obj, path: Path) -> Obj:
        made: Obj = {}
        for key, inner in value.items():
            if key == "metadata" and (node.kind is not None or node.embedded):
                made[key] = self._metadata(inner, (path, key))
                continue
            field = node.field(key)
            if field is None:
                self.unknown.append(rendered((path, key)))
            else:
                made[key] = self.read(field, inner, (path, key))
        return made

    def _metadata(self, value: Any, path: Path) -> Any:
        reader = _Reader()
        made = reader.read(builtin.metadata(), value if value is not None else {}, path)
        self.unknown += reader.unknown
        return made
