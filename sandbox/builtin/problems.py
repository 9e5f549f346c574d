"""What is wrong with a field, in the API server's words: constructors of `FieldError`."""

from __future__ import annotations

import json
from typing import Any

from sandbox.schema.errors import FieldError, Reason

Problem = FieldError


def shown(value: Any) -> str:
    """A value as the API server prints it in an error: strings quoted, the rest as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def invalid(field: str, value: Any, detail: str) -> Problem:
    return Problem(Reason.INVALID, field, f"Invalid value: {shown(value)}: {detail}")


def required(field: str, detail: str = "") -> Problem:
    return Problem(Reason.REQUIRED, field, f"Required value: {detail}" if detail else "Required value")


def duplicate(field: str, value: Any) -> Problem:
    return Problem(Reason.DUPLICATE, field, f"Duplicate value: {shown(value)}")


def forbidden(field: str, detail: str) -> Problem:
    return Problem(Reason.FORBIDDEN, field, f"Forbidden: {detail}")


def unsupported(field: str, value: Any, choices: tuple[str, ...]) -> Problem:
    known = ", ".join(shown(choice) for choice in choices)
    return Problem(Reason.NOT_SUPPORTED, field, f"Unsupported value: {shown(value)}: supported values: {known}")
