"""Digests that failed may not come back by themselves: the second push of a bad image must not start a second failure.

The records are the memory, so there is no list to keep. A person lets a digest out by a release whose request says
`force`; if that succeeds, the record of it is what counts from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshflow.release.outcome import Outcome

BAD = frozenset({Outcome.ROLLED_BACK, Outcome.FAILED_ON_CANARY})


def blocked(records: Iterable[Mapping[str, Any]], *, service: str, digest: str) -> str | None:
    """Why the digest is in quarantine, as a sentence; None when it is not. `records` run from the oldest on.

    Ends that say nothing about the image (superseded, wedged, aborted, …) leave it as it was.
    """
    reason: str | None = None
    for record in records:
        document = record.get("document", record)
        request, outcome = document.get("request") or {}, document.get("outcome") or {}
        if request.get("service") != service or request.get("digest") != digest or "outcome" not in outcome:
            continue
        ended = Outcome(outcome["outcome"])
        if ended in BAD:
            reason = (
                f"{digest[:19]} ended as {ended.value} in run {document.get('run', '?')}: {outcome.get('message', '')}"
            )
        elif ended.good:
            reason = None
    return reason
