"""From one version of a kind to another.

Custom resources convert as `strategy: None` says: only apiVersion changes. Of the built-in kinds only Event lives in
two groups, which call its fields differently. Arguments are never changed; nothing is copied deeply.
"""

from typing import Any

Obj = dict[str, Any]

_EVENT_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_NAMES = {new: old for old, new in _EVENT_NAMES.items()}


def convert(obj: Obj, api_version: str) -> Obj:
    """Return the object in another version (the same one, when it is in that version already)."""
    found = obj.get("apiVersion")
    if found == api_version:
        return obj
    if obj.get("kind") == "Event" and {found, api_version} == {"v1", "events.k8s.io/v1"}:
        names = _EVENT_NAMES if found == "v1" else _CORE_NAMES
        return {**{names.get(key, key): value for key, value in obj.items()}, "apiVersion": api_version}
    return {**obj, "apiVersion": api_version}
