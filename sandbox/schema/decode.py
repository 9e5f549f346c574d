"""From bytes to an object of its kind.

Two readers, as in the API server. A built-in kind is read into a struct: what the struct does not have is dropped, a
value of the wrong type stops everything, nulls and empty optional values vanish, quantities take their normal form. A
custom resource is only pruned: its values are judged later, by `validate`, so that all errors come together.

Both say which fields they did not know. What becomes of that is the request's choice: `Strict` refuses, `Warn` (the
default) tells, `Ignore` says nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sandbox.schema import builtin
from sandbox.schema.errors import StrictFailure, WrongType
from sandbox.schema.node import DEDUCED, Node, Obj, Shape
from sandbox.schema.parsing import Parsed, parse
from sandbox.schema.plain import Path, copied, rendered
from sandbox.schema.reader import Mismatch, Reader

__all__ = ["Decoded", "Parsed", "copied", "decode", "parse"]


class Decoded(NamedTuple):
    """An object as its kind has it, and one warning for each field that was unknown or twice there."""

    obj: Obj
    warnings: tuple[str, ...] = ()


def decode(node: Node, value: Obj, *, field_validation: str = "Warn", duplicates: tuple[str, ...] = ()) -> Decoded:
    """The object as its kind has it, sharing nothing with `value`.

    Raises WrongType for a built-in kind, StrictFailure under field_validation="Strict" for unknown and duplicate
    fields.
    """
    reader = _Pruner() if node.custom else Reader()
    try:
        obj = reader.read(node, value, ())
    except Mismatch as error:
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
        reader = Reader()
        made = reader.read(builtin.metadata(), value if value is not None else {}, path)
        self.unknown += reader.unknown
        return made
