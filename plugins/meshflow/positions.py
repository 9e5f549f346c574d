"""YAML that remembers where each field was written.

A typo is found by a schema, by the Helm engine or by a server, and each of them names a field (`spec.replicas`), never
a line. `Document.line` turns the field back into the line of the file, so that every error can say `file:line: field`.

The dialect is the one of Kubernetes' own tools: dates and `12:30` stay strings (PyYAML alone would make a date and the
number 750 of them), a key that stands twice in a mapping is an error, `<<` merges. What would not end as JSON (aliases
that contain themselves, or multiply) is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from meshflow.errors import InvalidInput

Field = tuple[str | int, ...]
"""The way to a field: keys of mappings and indices of lists."""


class _Loader(yaml.CSafeLoader):
    """CSafeLoader with the implicit types of Kubernetes' YAML."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_IMPLICIT = (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", list("yYnNtTfFoO")),
    ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", ["<"]),
)
for _tag, _pattern, _first in _IMPLICIT:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


_TAGS = tuple(f"tag:yaml.org,2002:{tag}" for tag in ("map", "seq", "str", "bool", "int", "float", "null"))
DEPTH = 100
"""Levels of nesting: far more than any definition of a resource has, and few enough for Python's stack."""

VALUES = 500_000
"""Values in one document: some twenty times those of the largest set of definitions."""


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(node.value).replace("_", "").lower()
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in "box":
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    number = float(str(node.value).lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):
        raise ValueError("JSON has no such number")
    return number


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


@dataclass(frozen=True)
class Document:
    """One YAML document: its value, and the line of each of its fields."""

    value: Any
    file: str
    first_line: int = 1
    lines: dict[Field, int] = field(default_factory=dict, repr=False)

    def line(self, path: Sequence[str | int] = ()) -> int:
        """The line of a field, or of its nearest ancestor that is written down."""
        for length in range(len(path), -1, -1):
            if (found := self.lines.get(tuple(path[:length]))) is not None:
                return found
        return self.first_line

    def where(self, path: Sequence[str | int] = ()) -> str:
        """`file:line` of a field."""
        return f"{self.file}:{self.line(path)}"

    def error(
        self, problem: str, path: Sequence[str | int] = (), *, value: object = None, way_out: str | None = None
    ) -> InvalidInput:
        """The error that points at this field."""
        return InvalidInput(problem, where=self.where(path), field=dotted(path) or None, value=value, way_out=way_out)


def read(path: Path, *, name: str | None = None) -> list[Document]:
    """The documents of a file, empty ones left out. `name` is how errors call the file (default: its path).

    Raises InvalidInput for a file that cannot be read or is not YAML, with the line.
    """
    shown = name or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput("no such file", where=shown, way_out="Create it, or correct its name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot be read: {error}", where=shown) from error
    return parse(text, name=shown)


def parse(text: str, *, name: str) -> list[Document]:
    """Like `read`, for text at hand."""
    with _sentences(name, text):
        loader = _Loader(text)
        try:
            return list(_documents(loader, name))
        finally:
            loader.dispose()


def plain(text: str, *, name: str) -> list[Any]:
    """The values alone, without positions: for what a chart rendered, which may be long."""
    with _sentences(name, text):
        return [value for value in yaml.load_all(text, Loader=_Loader) if value is not None]


@contextmanager
def _sentences(name: str, text: str) -> Iterator[None]:
    """What the library raises as InvalidInput, with the line where it says one."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidInput(f"not YAML: {error.problem or error.context}", where=f"{name}:{line}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{error.character:04X} is not allowed"
        raise InvalidInput(f"not YAML: {problem}", where=f"{name}:{line}") from error
    except (yaml.YAMLError, ValueError, KeyError) as error:
        raise InvalidInput(f"not YAML: {error}", where=name) from error


def dotted(path: Sequence[str | int]) -> str:
    """`spec.ports[0].name` for ("spec", "ports", 0, "name"); keys with dots or slashes stand in brackets."""
    text = ""
    for part in path:
        if isinstance(part, int) or re.search(r"[./\[\]]", part):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _documents(loader: _Loader, name: str) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        assert node is not None
        lines: dict[Field, int] = {}
        value = _construct(loader, node, (), lines, name)
        if value is not None:
            yield Document(value, name, node.start_mark.line + 1, lines)


def _construct(loader: _Loader, node: yaml.Node, path: Field, lines: dict[Field, int], name: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if node.tag not in _TAGS:
        raise _refused(f"not YAML: the tag {node.tag} is not known", node, name)
    if len(path) > DEPTH:
        raise _refused(f"nested more than {DEPTH} levels deep, or an alias that contains itself", node, name)
    if len(lines) > VALUES:
        raise _refused(f"more than {VALUES} values: aliases that multiply?", node, name)
    if isinstance(node, yaml.MappingNode):
        _refuse_twins(node, path, name)
        loader.flatten_mapping(node)
        return dict(_pairs(loader, node, path, lines, name))
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, (*path, index), lines, name) for index, item in enumerate(node.value)]
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError) as error:
        problem = f"not YAML: {node.value!r} is no {node.tag.rpartition(':')[2]}"
        raise _refused(problem, node, name, path=path) from error


def _refused(problem: str, node: yaml.Node, name: str, *, path: Field = ()) -> InvalidInput:
    return InvalidInput(problem, where=f"{name}:{node.start_mark.line + 1}", field=dotted(path) or None)


def _pairs(
    loader: _Loader, node: yaml.MappingNode, path: Field, lines: dict[Field, int], name: str
) -> Iterator[tuple[str, Any]]:
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise InvalidInput("a key must be a plain word", where=f"{name}:{key_node.start_mark.line + 1}")
        key = key_node.value
        lines[(*path, key)] = key_node.start_mark.line + 1
        yield key, _construct(loader, value_node, (*path, key), lines, name)


def _refuse_twins(node: yaml.MappingNode, path: Field, name: str) -> None:
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen and key != "<<":
            raise InvalidInput(
                f"the key is already set at line {seen[key]}",
                where=f"{name}:{line}",
                field=dotted((*path, key)),
                way_out="Remove one of the two",
            )
        seen[key] = line
