"""JSON merge patches (RFC 7386): objects are merged, null removes, everything else replaces."""

from __future__ import annotations

from typing import Any

from sandbox.patch.errors import BadPatch
from sandbox.schema.node import Obj
from sandbox.schema.plain import copied


def apply(obj: Obj, patch: Any) -> Obj:
    """The patched object; neither argument is changed. Raises BadPatch when the patch is no object."""
    if not isinstance(patch, dict):
        raise BadPatch("error decoding patch: a merge patch must be a JSON object")
    merged: Obj = _merged(copied(obj), patch)
    return merged


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copied(patch)
    if not isinstance(target, dict):
        target = {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = _merged(target.get(key), value)
    return target
