"""Records as a chain: each holds the hash of the one before, so that a changed, removed or inserted one shows.

What a chain cannot show is that its newest records are gone: keep the last hash somewhere else (a log, a ticket).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

SCHEMA = "meshflow.io/record/v1"
FIRST = 1


class Broken(NamedTuple):
    """The first link that does not hold. `number` is where it should stand in the chain."""

    number: int
    problem: str

    def __str__(self) -> str:
        return f"record {self.number}: {self.problem}"


def canonical(document: Any) -> bytes:
    """The one way to write a document: sorted keys, no spaces, UTF-8; equal documents give equal bytes.

    NaN and the infinities become their names, moments their ISO form, everything else that is not JSON its text.
    """
    return json.dumps(
        _plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(record: Mapping[str, Any]) -> str:
    """The sha256 over everything in the record but the hash itself."""
    return hashlib.sha256(canonical({key: value for key, value in record.items() if key != "sha256"})).hexdigest()


def link(document: Any, *, previous: Mapping[str, Any] | None, written: datetime) -> dict[str, Any]:
    """The record of a document that follows `previous` (None: it is the first)."""
    record = {
        "schema": SCHEMA,
        "number": previous["number"] + 1 if previous else FIRST,
        "previous": previous["sha256"] if previous else None,
        "written": written.isoformat(),
        "document": _plain(document),
    }
    return {**record, "sha256": digest(record)}


def verify(chain: Iterable[Mapping[str, Any]]) -> Broken | None:
    """The first broken link, None for a chain that holds (an empty one does)."""
    previous: Mapping[str, Any] | None = None
    for number, record in enumerate(chain, start=FIRST):
        problem = _problem(record, number=number, previous=previous)
        if problem:
            return Broken(number, problem)
        previous = record
    return None


def _problem(record: Mapping[str, Any], *, number: int, previous: Mapping[str, Any] | None) -> str:
    if record.get("number") != number:
        return f"missing; the next that is there says it is record {record.get('number')}"
    if record.get("sha256") != digest(record):
        return "changed after it was written: its contents do not give its sha256"
    if record.get("previous") != (previous["sha256"] if previous else None):
        return "does not follow the record before it: that one was replaced"
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
