"""What an API server makes of a write, as functions: the sandbox's schemas and patches without HTTP."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from sandbox.patch import apply as patches
from sandbox.patch import managed
from sandbox.schema import builtin, decode, defaults
from sandbox.schema.node import DEDUCED, Node

Obj = dict[str, Any]

_versions = itertools.count(100)
NOW = "2026-08-01T10:00:00Z"
LATER = "2026-08-02T11:00:00Z"


def applied(
    obj: Obj, *, live: Obj | None = None, manager: str = "meshflow", force: bool = False, now: str = NOW
) -> Obj:
    """The live object after a server-side apply."""
    node = _node(obj)
    merged = patches.server_side_apply(
        live, copy.deepcopy(obj), node=node, manager=manager, api_version=obj["apiVersion"], force=force, now=now
    )
    return _stored(node, merged, live)


def updated(live: Obj, changed: Obj, *, manager: str, now: str = LATER, subresource: str | None = None) -> Obj:
    """The live object after another manager wrote it with PUT or PATCH."""
    node = _node(live)
    new = _stored(node, copy.deepcopy(changed), live)
    entries = managed.track_update(
        live, new, node=node, manager=manager, api_version=live["apiVersion"], now=now, subresource=subresource
    )
    new["metadata"]["managedFields"] = entries
    return new


def _node(obj: Obj) -> Node:
    group, _, version = obj["apiVersion"].rpartition("/")
    return builtin.of(group, version, obj["kind"]) or DEDUCED


def _stored(node: Node, obj: Obj, live: Obj | None) -> Obj:
    decoded = obj if node is DEDUCED else decode.decode(node, obj, field_validation="Ignore").obj
    if node is not DEDUCED:
        defaults.apply(node, decoded)
    metadata = decoded["metadata"]
    metadata["uid"] = live["metadata"]["uid"] if live else "uid-1"
    metadata["creationTimestamp"] = NOW
    metadata["resourceVersion"] = str(next(_versions))
    return decoded
