"""Sentences about what people wrote: near misses, and pydantic's findings with their lines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from meshflow import positions
from meshflow.errors import InvalidInput

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_WORDS = {
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "path_type": "must be a path",
    "too_short": "must not be empty",
}
"""Sentences for the kinds of problems that pydantic finds; for the others its own will do."""


def suggestion(word: str, known: Iterable[Any]) -> str:
    """`; did you mean 'x'?` for the nearest known name, else the empty string."""
    near = difflib.get_close_matches(word, [str(name) for name in known], n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def readable(error: ValidationError, document: positions.Document, *, fields: Iterable[str]) -> InvalidInput:
    """The first problem as a sentence with its line, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    path = _path_in(document.value, first["loc"])
    problem = sentence(first)
    if first["type"] == "extra_forbidden":
        problem = f"unknown field{suggestion(str(first['loc'][-1]), fields)}"
        path = (*path, str(first["loc"][-1])) if path[-1:] != (first["loc"][-1],) else path
    elif first["type"] == "missing":
        problem = f"the field {first['loc'][-1]!r} is missing"
    value = shown(first["input"])
    more = f"{len(problems) - 1} more problem(s) follow in this file" if len(problems) > 1 else None
    return document.error(problem, path, value=value, way_out=more)


def sentence(problem: ErrorDetails) -> str:
    """What pydantic found, in our words."""
    found = _WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
    in_quotes = problem["type"] == "string_type" and isinstance(problem["input"], int | float)
    return f"{found}: write it in quotes" if in_quotes else found


def shown(value: Any) -> object:
    """A scalar as it may be printed: without the credentials of an address."""
    if isinstance(value, str):
        return re.sub(r"//[^/@\s]*@", "//…@", value)
    return value if isinstance(value, int | float | bool) else None


def _path_in(value: Any, location: tuple[str | int, ...]) -> positions.Field:
    """The part of pydantic's location that exists in the document: tags of unions are not written there."""
    path: list[str | int] = []
    for part in location:
        in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_list or (isinstance(value, dict) and part in value):
            value = value[part]
            path.append(part)
    return tuple(path)
