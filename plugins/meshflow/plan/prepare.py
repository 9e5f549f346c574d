"""From what was written to what is sent: plan and apply must agree on it to the last field."""

from __future__ import annotations

import base64
from typing import Any

from meshflow.objects.reference import Obj

_SERVERS_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


def prepared(obj: Obj) -> Obj:
    """A copy that can be applied: no nulls, no status, none of the server's metadata, `stringData` as `data`.

    A null in a manifest (a chart's empty `annotations:`) means "not declared" here; an applied null would be owned.
    `stringData` would be owned under that name, and keys left out later would stay in `data` for ever.
    """
    copy: Obj = _without_nulls(obj)
    copy.pop("status", None)
    for name in _SERVERS_METADATA:
        copy.get("metadata", {}).pop(name, None)
    if copy.get("kind") == "Secret" and isinstance(copy.get("stringData"), dict):
        plain = {name: base64.b64encode(str(value).encode()).decode() for name, value in copy.pop("stringData").items()}
        copy["data"] = {**copy.get("data", {}), **plain}
    return copy


def comparable(obj: Obj) -> Obj:
    """A live object without what the server writes by itself; shares the rest with `obj`."""
    rest = {name: value for name, value in obj.items() if name not in ("status", "metadata")}
    metadata = obj.get("metadata", {})
    rest["metadata"] = {name: value for name, value in metadata.items() if name not in _SERVERS_METADATA}
    return rest


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
