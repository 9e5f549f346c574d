"""What can be wrong with an object, in the words of a Status."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple


class Reason(StrEnum):
    """The reason of a cause in a Status of 422 Invalid (and a few others)."""

    REQUIRED = "FieldValueRequired"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    DUPLICATE = "FieldValueDuplicate"
    FORBIDDEN = "FieldValueForbidden"
    TYPE_INVALID = "FieldValueTypeInvalid"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"
    NOT_FOUND = "FieldValueNotFound"
    CONFLICT = "FieldManagerConflict"  # of an apply, not of a validation


class FieldError(NamedTuple):
    """One cause of a Status. `message` is without the path; `field: message` is what the Status's own message says."""

    reason: Reason | str  # some answers have reasons of their own
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def to_json(self) -> dict[str, str]:
        found = {"reason": str(self.reason), "message": self.message, "field": self.field}
        return {key: value for key, value in found.items() if value}


def shown(value: Any) -> str:
    """A value as errors print it: JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(Reason.REQUIRED, field, f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(Reason.INVALID, field, f"Invalid value: {shown(value)}: {detail}")


def not_supported(field: str, value: Any, known: Iterable[Any]) -> FieldError:
    listed = ", ".join(shown(each) for each in known)
    return FieldError(Reason.NOT_SUPPORTED, field, f"Unsupported value: {shown(value)}: supported values: {listed}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(Reason.DUPLICATE, field, f"Duplicate value: {shown(value)}")


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(Reason.FORBIDDEN, field, f"Forbidden: {detail}")


def not_found(field: str, value: Any) -> FieldError:
    return FieldError(Reason.NOT_FOUND, field, f"Not found: {shown(value)}")


def wrong_type(field: str, found: str, wanted: str) -> FieldError:
    text = f'Invalid value: "{found}": {field} in body must be of type {wanted}: "{found}"'
    return FieldError(Reason.TYPE_INVALID, field, text)


def too_long(field: str, limit: int) -> FieldError:
    return FieldError(Reason.TOO_LONG, field, f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> FieldError:
    return FieldError(Reason.TOO_MANY, field, f"Too many: {count}: must have at most {limit} items")


class SchemaError(Exception):
    """Root of what this package raises; `message` is for the Status."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Malformed(SchemaError):
    """The body is no JSON (or YAML) object."""


class WrongType(SchemaError):
    """A value of a built-in kind has the wrong JSON type."""


class StrictFailure(SchemaError):
    """Unknown or duplicate fields under fieldValidation=Strict."""
