"""How a release ends. One sentence per word, used in logs, XCom, records and pages alike."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Outcome(StrEnum):
    """The last word on a release."""

    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    FAILED_ON_CANARY = "failed_on_canary"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    WEDGED = "wedged"
    ABORTED = "aborted"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        return SENTENCES[self]

    @property
    def good(self) -> bool:
        """Whether the run that ends with it may be green: the service runs what was asked for."""
        return self in (Outcome.SUCCEEDED, Outcome.SKIPPED)


SENTENCES: Mapping[Outcome, str] = {
    Outcome.SUCCEEDED: "The digest serves all traffic: it passed its analysis, or there was none to pass.",
    Outcome.ROLLED_BACK: "The digest failed, and all traffic is on the previous one.",
    Outcome.FAILED_ON_CANARY: "The release failed, yet traffic is still on the canary: somebody has to act now.",
    Outcome.SUPERSEDED: "A later revision took its place before it was promoted.",
    Outcome.SKIPPED: "The digest was already promoted, so there was nothing to do.",
    Outcome.WEDGED: "Nothing moved within the progress deadline, and nothing says that it will.",
    Outcome.ABORTED: "The release was stopped by a person, or its canary was deleted.",
    Outcome.UNKNOWN: "What happened could not be observed.",
}
