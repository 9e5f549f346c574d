"""What is wrong with a field, in the API server's words."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """One cause of a 422. `message` is the text without the field; `str()` is the line of the Status message."""

    reason: str  # FieldValueInvalid, FieldValueRequired, …
    field: str  # spec.ports[0].port
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def shown(value: Any) -> str:
    """A value as the API server prints it in an error: strings quoted, the rest as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def invalid(field: str, value: Any, detail: str) -> Problem:
    return Problem("FieldValueInvalid", field, f"Invalid value: {shown(value)}: {detail}")


def required(field: str, detail: str = "") -> Problem:
    return Problem("FieldValueRequired", field, f"Required value: {detail}" if detail else "Required value")


def duplicate(field: str, value: Any) -> Problem:
    return Problem("FieldValueDuplicate", field, f"Duplicate value: {shown(value)}")


def forbidden(field: str, detail: str) -> Problem:
    return Problem("FieldValueForbidden", field, f"Forbidden: {detail}")


def unsupported(field: str, value: Any, choices: tuple[str, ...]) -> Problem:
    known = ", ".join(shown(choice) for choice in choices)
    return Problem("FieldValueNotSupported", field, f"Unsupported value: {shown(value)}: supported values: {known}")
