"""What the server said by dry-run, remembered, so that a false suspicion is paid for once.

A manifest may differ from its stored form for ever without meaning anything (a default written out in another way). The
verdict "unchanged" holds as long as the object (uid, resourceVersion) and what we would send (a hash) stay the same.
"""

from __future__ import annotations

import json
from pathlib import Path

from meshflow import files


class Verdicts:
    """Objects that a dry-run found unchanged. With `path` None they live as long as the process.

    A file that cannot be read counts as empty: the price is a few dry-runs.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, list[str]] = _load(path) if path else {}
        self._used: set[str] = set()

    def unchanged(self, *, uid: str, resource_version: str, digest: str) -> bool:
        """Whether exactly this was found unchanged before."""
        known = self._known.get(uid) == [resource_version, digest]
        if known:
            self._used.add(uid)
        return known

    def remember(self, *, uid: str, resource_version: str, digest: str) -> None:
        """A dry-run found this unchanged; what was known of the object before is forgotten."""
        self._known[uid] = [resource_version, digest]
        self._used.add(uid)

    def save(self) -> None:
        """Write the verdicts that were used since they were read, whole or not at all; the others are outdated."""
        if self._path is None:
            return
        used = {uid: verdict for uid, verdict in self._known.items() if uid in self._used}
        files.write(self._path, json.dumps(used, sort_keys=True).encode())


def _load(path: Path) -> dict[str, list[str]]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
