"""A short notation for the structural schemas of custom resources.

    text    str  int  int32  uint32  num  double  bool  any  intstr  time   (any: an object with whatever fields)
            A|B|C  an enum (`""` is the empty string)      =A  an enum of one
            [T]  a list    {T}  a map of T    (a: T, b!: U)  an object, `!` marks what is required
            Name           another entry of the table, written out in place

Fields are separated by commas or line ends; there is a space after the colon of a field. The result is OpenAPI v3 as
a CustomResourceDefinition has it: nothing refers, everything is spelled out, so unknown fields are pruned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TOKEN = re.compile(r'\s*(""|[\w./-]+(?::[\w.]+)?|[\[\]{}()|=!:,])')
PRIMITIVES: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "text": {"type": "string", "minLength": 1},
    "int": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "uint32": {"type": "integer", "minimum": 0, "maximum": 4294967295},
    "num": {"type": "number"},
    "double": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "intstr": {"x-kubernetes-int-or-string": True},
    "time": {"type": "string", "format": "date-time"},
    "period": {"type": "string", "pattern": "^[0-9]+(m|s)"},
}


def parse(text: str, types: Mapping[str, str]) -> Schema:
    """The schema of an object with the fields that `text` lists. ValueError if it cannot be read."""
    parser = _Parser(_tokens(text), types)
    schema = parser.fields()
    if parser.peek() is not None:
        raise ValueError(f"{parser.peek()!r} is out of place in {text!r}")
    return schema


def _tokens(text: str) -> list[str]:
    joined = re.sub(
        r"(?<![(\[{,|])\n(?!\s*[)\]}])", ",", text.strip()
    )  # a line end separates, except at a bracket or bar
    tokens, position = [], 0
    while position < len(joined.rstrip()):
        found = TOKEN.match(joined, position)
        if not found:
            raise ValueError(f"cannot read {joined[position : position + 20]!r}")
        tokens.append(found[1])
        position = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], types: Mapping[str, str]) -> None:
        self.tokens, self.types, self.position = tokens, types, 0

    def peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if token is None or (expected is not None and token != expected):
            raise ValueError(f"expected {expected or 'more'}, found {token!r} at {self.tokens[: self.position][-6:]}")
        self.position += 1
        return token

    def fields(self) -> Schema:
        properties: dict[str, Schema] = {}
        required = []
        while self.peek() not in (None, ")"):
            if self.peek() == ",":
                self.take()
                continue
            name = self.take()
            if self.peek() == "!":
                required.append(self.take() and name)
            self.take(":")
            properties[name] = self.type()
        schema: Schema = {"type": "object", "properties": properties}
        return {**schema, "required": sorted(required)} if required else schema

    def type(self) -> Schema:
        token = self.take()
        if token == "[":
            return {"type": "array", "items": self.closed(self.type(), "]")}
        if token == "{":
            return {"type": "object", "additionalProperties": self.closed(self.type(), "}")}
        if token == "(":
            return self.closed(self.fields(), ")")
        if token == "=":
            return {"type": "string", "enum": [self.take()]}
        if self.peek() == "|":
            return {"type": "string", "enum": self.choices(token)}
        if token in PRIMITIVES:
            return dict(PRIMITIVES[token])
        if token not in self.types:
            raise ValueError(f"no type is called {token!r}")
        return parse(self.types[token], self.types)

    def closed(self, schema: Schema, bracket: str) -> Schema:
        self.take(bracket)
        return schema

    def choices(self, first: str) -> list[str]:
        values = [first]
        while self.peek() == "|":
            self.take()
            values.append(self.take())
        return ["" if value == '""' else value for value in values]
