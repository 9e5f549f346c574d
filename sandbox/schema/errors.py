"""What can be wrong with an object, in the words of a Status."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """The reason of a cause in a Status of 422 Invalid."""

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

    reason: Reason
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


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
