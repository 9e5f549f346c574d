"""Reads a value of a built-in kind as Go would: into its struct, and out of it again."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.schema import quantity
from sandbox.schema.node import Node, Obj, Shape
from sandbox.schema.plain import Path, copied, json_type, rendered

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")


class Mismatch(Exception):
    """A value cannot be read. The structs on the way out add where it stands."""

    def __init__(self, problem: str, *, wanted: str = "") -> None:
        super().__init__(problem)
        self.problem, self.wanted = problem, wanted
        self.owner, self.fields = "", list[str]()

    def __str__(self) -> str:
        if not self.wanted:
            return self.problem
        return f"{self.problem} into Go struct field {'.'.join([self.owner, *self.fields])} of type {self.wanted}"


class Reader:
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
            raise _mismatch(value, node)
        made: Obj = {}
        fields, omitted = node.fields, node.omitted
        for key, inner in value.items():
            field = fields.get(key)
            if field is None:
                self.unknown.append(rendered((path, key)))
            elif inner is not None:
                try:
                    read = self._by_shape[field.shape](field, inner, (path, key))
                except Mismatch as error:
                    error.owner = error.owner or node.name
                    error.fields.insert(0, key)
                    raise
                if read or key not in omitted:
                    made[key] = read
        return made

    def _map(self, node: Node, value: Any, path: Path) -> Obj:
        if not isinstance(value, dict):
            raise _mismatch(value, node)
        items = node.items
        read = self._by_shape[items.shape]
        return {key: _zero(items) if inner is None else read(items, inner, (path, key)) for key, inner in value.items()}

    def _list(self, node: Node, value: Any, path: Path) -> list[Any]:
        if not isinstance(value, list):
            raise _mismatch(value, node)
        items = node.items
        read = self._by_shape[items.shape]
        return [_zero(items) if v is None else read(items, v, (path, i)) for i, v in enumerate(value)]

    def _string(self, node: Node, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, node)
        return value

    def _time(self, node: Node, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, node)
        match = TIME.fullmatch(value)
        if match is None:
            raise Mismatch(
                f'parsing time {json.dumps(value)} as "2006-01-02T15:04:05Z07:00": cannot parse {json.dumps(value)}'
            )
        if node.shape is Shape.MICRO_TIME and match[1] is None:
            raise Mismatch(
                f'parsing time {json.dumps(value)} as "2006-01-02T15:04:05.000000Z07:00": '
                f'cannot parse "{match[2]}" as ".000000"'
            )
        return value

    def _bytes(self, node: Node, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, node)
        text = "".join(value.split())
        try:
            base64.b64decode(text, validate=True)
        except ValueError as error:  # binascii.Error, or characters beyond ASCII
            raise Mismatch(f"illegal base64 data in {rendered(path)}: {error}") from error
        return text

    def _integer(self, node: Node, value: Any, path: Path) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _mismatch(value, node)
        return value

    def _number(self, node: Node, value: Any, path: Path) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _mismatch(value, node)
        return value

    def _boolean(self, node: Node, value: Any, path: Path) -> bool:
        if not isinstance(value, bool):
            raise _mismatch(value, node)
        return value

    def _quantity(self, node: Node, value: Any, path: Path) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise _mismatch(value, node)
        try:
            return quantity.normal(value if isinstance(value, str) else json.dumps(value))
        except ValueError as error:
            raise Mismatch(str(error)) from error

    def _int_or_string(self, node: Node, value: Any, path: Path) -> int | str:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise _mismatch(value, node)
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
    Shape.NUMBER: "float64",
    Shape.BOOLEAN: "bool",
    Shape.QUANTITY: "resource.Quantity",
    Shape.INT_OR_STRING: "intstr.IntOrString",
    Shape.TIME: "v1.Time",
    Shape.MICRO_TIME: "v1.MicroTime",
}


def go_type(node: Node) -> str:
    """What Go calls the type, as far as the definitions tell (they do not know that a string is a v1.PullPolicy)."""
    match node.shape:
        case Shape.LIST:
            return f"[]{go_type(node.items)}"
        case Shape.MAP:
            return f"map[string]{go_type(node.items)}"
    return GO_TYPES.get(node.shape) or node.type


def _mismatch(value: Any, node: Node) -> Mismatch:
    return Mismatch(f"json: cannot unmarshal {json_type(value)}", wanted=go_type(node))
