"""Flagger's events read back into a timeline with numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class StepKind(StrEnum):
    DETECTED = "detected"
    STARTED = "started"
    WEIGHT = "weight"
    ITERATION = "iteration"
    FAILED_CHECK = "failed_check"
    WAITING = "waiting"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    ROLLBACK = "rollback"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True)
class Step:
    """One thing that happened. `value` and `threshold` are in `unit` ("%", "ms", "" when none)."""

    time: datetime
    kind: StepKind
    message: str
    check: str | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    count: int = 1

    @property
    def key(self) -> str:
        """The same for the same step seen twice: log a step whose key was not seen before."""
        return f"{self.time.isoformat()} {self.message} {self.count}"

    def __str__(self) -> str:
        return f"{self.time:%H:%M:%S} {self.message}"

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError
