"""What the server said by dry-run, remembered, so that a false suspicion is paid for once."""

from __future__ import annotations

from pathlib import Path


class Verdicts:
    """Objects that a dry-run found unchanged, by (uid, resourceVersion, hash of what we would send).

    With `path` None it lives as long as the process.
    """

    def __init__(self, path: Path | None = None) -> None:
        raise NotImplementedError
