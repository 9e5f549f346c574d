"""Who controls whom: owner references, and the claiming of what a selector matches."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sandbox import selectors
from sandbox.api.errors import ApiError

if TYPE_CHECKING:
    from sandbox.client import Client

log = logging.getLogger(__name__)

Obj = dict[str, Any]


def reference(owner: Obj) -> Obj:
    """The owner reference of a controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller(obj: Obj) -> Obj | None:
    """The reference to the object's controller, or None."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def controls(owner: Obj, obj: Obj) -> bool:
    found = controller(obj)
    return found is not None and found["uid"] == owner["metadata"]["uid"]


async def claim(client: Client, owner: Obj, candidates: list[Obj]) -> list[Obj]:
    """The candidates that the owner controls, after adopting matching orphans and releasing what no longer matches.

    An owner that is being deleted adopts nothing.
    """
    claimed = []
    for obj in candidates:
        fits = selectors.matches(owner["spec"].get("selector"), selectors.labels_of(obj))
        dying = obj["metadata"].get("deletionTimestamp") or owner["metadata"].get("deletionTimestamp")
        if controls(owner, obj):
            if fits:
                claimed.append(obj)
            elif not dying:
                await _release(client, owner, obj)
        elif fits and controller(obj) is None and not dying and (adopted := await _adopt(client, owner, obj)):
            claimed.append(adopted)
    return claimed


async def _adopt(client: Client, owner: Obj, obj: Obj) -> Obj | None:
    present = obj["metadata"].get("ownerReferences") or []
    return await _set(client, obj, [*present, reference(owner)])


async def _release(client: Client, owner: Obj, obj: Obj) -> None:
    uid = owner["metadata"]["uid"]
    await _set(client, obj, [o for o in obj["metadata"].get("ownerReferences") or () if o["uid"] != uid])


async def _set(client: Client, obj: Obj, references: list[Obj]) -> Obj | None:
    metadata = obj["metadata"]
    change = {"metadata": {"uid": metadata["uid"], "ownerReferences": references or None}}
    where = (obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"))
    try:
        return await client.patch(*where, change)
    except ApiError as error:
        if error.code not in (404, 409):
            raise
        log.debug("owner references of %s: %s", metadata["name"], error)
        return None
