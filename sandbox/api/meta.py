"""Metadata: what the server fills in and keeps, alike for every kind (what it refuses is in `schema.rules`)."""

import secrets
import uuid
from typing import Any

from sandbox.api.errors import bad_request, plain_failure
from sandbox.api.resources import Resource
from sandbox.schema.errors import FieldError, Reason

Obj = dict[str, Any]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_BASE = 58

KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion")
"""What an update cannot change, whatever the body says."""


def generated_name(base: str) -> str:
    """Return `base` (cut to 58 characters) and five random ones."""
    return base[:_LONGEST_BASE] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def fill_in(metadata: Obj, *, now: str) -> None:
    """Give a new object its identity: name from generateName, uid, creationTimestamp."""
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        metadata.pop(key, None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = generated_name(metadata["generateName"])
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now


def settle_namespace(resource: Resource, metadata: Obj, namespace: str | None) -> None:
    """Put the namespace of the URL into the object; 400 when it says another."""
    found = metadata.get("namespace")
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif found and namespace and found != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    elif namespace:
        metadata["namespace"] = namespace


def refuse_resource_version(metadata: Obj) -> None:
    """500, as the real server does, when an object to be created claims a resourceVersion."""
    if metadata.get("resourceVersion"):
        raise plain_failure("resourceVersion should not be set on objects to be created")


def keep(metadata: Obj, old: Obj) -> None:
    """Put back, in place, what an update cannot change."""
    for key in KEPT:
        if key in old:
            metadata[key] = old[key]
        else:
            metadata.pop(key, None)
    metadata.pop("selfLink", None)
    if "generateName" in old:
        metadata.setdefault("generateName", old["generateName"])


def added_finalizers(metadata: Obj, old: Obj) -> list[FieldError]:
    """Refuse new finalizers of an object that is being deleted."""
    if not old.get("deletionTimestamp"):
        return []
    before = set(old.get("finalizers") or [])
    added = [finalizer for finalizer in metadata.get("finalizers") or [] if finalizer not in before]
    if not added:
        return []
    shown = ", ".join(f'"{finalizer}"' for finalizer in added)
    text = "no new finalizers can be added if the object is being deleted, found new finalizers []string{"
    return [FieldError(Reason.FORBIDDEN, "metadata.finalizers", f"Forbidden: {text}{shown}}}")]
