"""The words of health."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """How an object is. `sentence` explains the word."""

    CURRENT = "current"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"
    MISSING = "missing"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Status.CURRENT: "What was asked for is there and working.",
    Status.PROGRESSING: "On its way: waiting can help.",
    Status.DEGRADED: "Broken in a way that waiting does not mend.",
    Status.MISSING: "The object does not exist.",
    Status.UNKNOWN: "The object does not tell; the message says why.",
}


class Health(NamedTuple):
    """A judgement with a message for a person, numbers included: `2 of 3 replicas ready`."""

    status: Status
    message: str
