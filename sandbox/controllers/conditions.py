"""Conditions of a status: a list with one entry per type, whose transition time moves only with its status."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]
Conditions = list[Obj]


def find(conditions: Conditions | None, kind: str) -> Obj | None:
    return next((c for c in conditions or () if c["type"] == kind), None)


def is_true(obj: Obj, kind: str) -> bool:
    found = find((obj.get("status") or {}).get("conditions"), kind)
    return found is not None and found["status"] == "True"


def put(
    conditions: Conditions,
    kind: str,
    status: str,
    *,
    now: str,
    reason: str | None = None,
    message: str | None = None,
    updated: bool = False,
) -> Conditions:
    """A new list in which `kind` has this status and these words; the others stay.

    lastTransitionTime is kept while the status stays. With `updated`, lastUpdateTime is now.
    """
    old = find(conditions, kind)
    words = {"reason": reason, "message": message, "lastUpdateTime": now if updated else None}
    new: Obj = {"type": kind, "status": status, **{key: value for key, value in words.items() if value is not None}}
    kept = old is not None and old["status"] == status
    new["lastTransitionTime"] = old.get("lastTransitionTime", now) if old is not None and kept else now
    if old is None:
        return [*conditions, new]
    return [new if c["type"] == kind else c for c in conditions]


def drop(conditions: Conditions, kind: str) -> Conditions:
    return [c for c in conditions if c["type"] != kind]
