"""The annotation of `kubectl apply`, which server-side apply looks after when kubectl is the one who applies.

Somebody who applied on the client's side until now and goes over to the server's would conflict with himself: the
fields belong to the manager of his updates. So what the annotation says and the live object still has is his to take
without force. And since he may go back, the annotation is kept up to date.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.patch import typed
from sandbox.patch.fieldset import Set, difference, union
from sandbox.schema.node import Node, Obj

KUBECTL = "kubectl"
ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def allowed(live: Obj | None, *, node: Node, manager: str, api_version: str) -> Set:
    """The paths that this manager may take from others: those of the annotation whose values are still there."""
    before = _read(live) if manager == KUBECTL else None
    if before is None or before.get("apiVersion") != api_version:
        return {}
    found = typed.compare(node, before, live)
    return difference(typed.fields(node, before), union(found.changed, found.removed))


def sync(obj: Obj, applied: Obj, *, manager: str) -> None:
    """Write what is applied into the annotation, in place, where there is one already."""
    if manager != KUBECTL or not _text(obj):
        return
    meta = dict(applied.get("metadata") or {})
    if ANNOTATION in (meta.get("annotations") or {}):
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key != ANNOTATION}
    text = json.dumps({**applied, "metadata": meta}, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    obj["metadata"]["annotations"][ANNOTATION] = text + "\n"


def _read(live: Obj | None) -> Obj | None:
    try:
        found: Any = json.loads(_text(live))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _text(obj: Obj | None) -> str:
    text: str = (((obj or {}).get("metadata") or {}).get("annotations") or {}).get(ANNOTATION, "")
    return text
