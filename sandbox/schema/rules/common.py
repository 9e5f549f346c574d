"""Rules that many kinds share: label selectors, counts, numbers that may be a share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.schema.errors import FieldError, forbidden, invalid, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import metadata

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
PERCENT = re.compile(r"\d+%")
NO_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def counts(spec: Obj, *names: str, path: str = "spec") -> Iterator[FieldError]:
    """Fields that, where they are there, are not negative."""
    for name in names:
        if (spec.get(name) or 0) < 0:
            yield invalid(f"{path}.{name}", spec[name], NOT_NEGATIVE)


def int_or_percent(value: Any, path: str) -> Iterator[FieldError]:
    """A number of things or a share of them; None is left out."""
    if isinstance(value, str) and not PERCENT.fullmatch(value):
        yield invalid(path, value, NO_PERCENT)
    elif isinstance(value, str) and int(value[:-1]) > 100:
        yield invalid(path, value, "must not be greater than 100%")
    elif isinstance(value, int) and value < 0:
        yield invalid(path, value, NOT_NEGATIVE)


def nothing(value: Any) -> bool:
    """Whether a number or share comes to nothing (what is no share does, too)."""
    return value is None or value == 0 or (isinstance(value, str) and value.rstrip("%").strip("0") == "") or _odd(value)


def _odd(value: Any) -> bool:
    return isinstance(value, str) and not PERCENT.fullmatch(value)


def immutable(obj: Obj, old: Obj | None, *names: str) -> Iterator[FieldError]:
    """Fields of the spec that an update may not change."""
    if old is None:
        return
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    for name in names:
        if spec.get(name) != before.get(name):
            yield invalid(f"spec.{name}", spec.get(name), IMMUTABLE)


def selector(found: Obj, path: str) -> Iterator[FieldError]:
    """A label selector."""
    yield from metadata.label_map(found.get("matchLabels"), f"{path}.matchLabels")
    for index, expression in enumerate(found.get("matchExpressions") or ()):
        here, operator = f"{path}.matchExpressions[{index}]", expression.get("operator", "")
        if operator not in OPERATORS:
            yield invalid(f"{here}.operator", operator, "not a valid selector operator")
        elif operator in OPERATORS[:2] and not expression.get("values"):
            yield required(f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in OPERATORS[2:] and expression.get("values"):
            yield forbidden(f"{here}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        yield from metadata.label_key(expression.get("key", ""), f"{here}.key")
