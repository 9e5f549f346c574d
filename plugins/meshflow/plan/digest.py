"""One hash for a set of objects, so that what was planned is what is applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from meshflow.objects.parsing import Desired


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def of(value: Any) -> str:
    """The sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def of_set(desired: Iterable[Desired]) -> str:
    """The hash of a set of objects, whatever their order."""
    return of([item.obj for item in sorted(desired, key=lambda item: _key(item))])


def _key(item: Desired) -> tuple[str, ...]:
    return tuple(part or "" for part in item.reference)
