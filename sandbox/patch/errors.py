"""Why a patch was refused."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.schema.errors import FieldError


class PatchError(Exception):
    """Root of what this package raises; `message` is for the Status."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadPatch(PatchError):
    """The patch is malformed: 400."""


class DoesNotApply(PatchError):
    """A JSON patch operation cannot be carried out on this object: 422."""


class NotTyped(PatchError):
    """An apply has fields, types or keys that the schema does not allow: 500."""


class Conflicts(PatchError):
    """An apply would change fields of other managers: 409. `causes` has one FieldManagerConflict for each."""

    def __init__(self, message: str, causes: Sequence[FieldError]) -> None:
        super().__init__(message)
        self.causes = list(causes)
