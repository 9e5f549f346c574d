"""Deterministic short hashes of pod templates and configs, in the form of those that Flagger writes.

The same template gives the same hash in every process and on every day; the values differ from real Flagger's, which
hashes a dump of Go structures.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words by accident


def spec_hash(value: Any) -> str:
    """FNV-1a (32 bits) of the value's canonical JSON, in letters and digits that are safe in names."""
    state = 0x811C9DC5
    for byte in canonical(value):
        state = ((state ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(state))


def checksum(data: Any) -> str:
    """The first 8 bytes of the SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(data)).hexdigest()[:16]


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and without nulls and empty maps or lists: what a server adds as empty does not count."""
    return json.dumps(_pruned(value), sort_keys=True, separators=(",", ":")).encode()


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        pruned = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, {}, [])}
    return [_pruned(item) for item in value] if isinstance(value, list) else value
