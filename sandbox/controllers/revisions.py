"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError
from sandbox.controllers import owners, rollout

if TYPE_CHECKING:
    from sandbox.client import Client

Obj = dict[str, Any]

LABEL = "controller-revision-hash"


def template_hash(owner: Obj) -> str:
    """The hash of the owner's present template."""
    return rollout.template_hash(owner["spec"]["template"])


async def keep(client: Client, owner: Obj) -> str:
    """Make sure the present template has its revision, with the highest number; returns its name."""
    metadata, mark = owner["metadata"], template_hash(owner)
    name = f"{metadata['name']}-{mark}"
    found = await client.list("apps/v1", "ControllerRevision", metadata["namespace"])
    own = [revision for revision in found if owners.controls(owner, revision)]
    highest = max((revision["revision"] for revision in own), default=0)
    present = next((revision for revision in own if revision["metadata"]["name"] == name), None)
    if present is None:
        await _create(client, owner, name, mark, highest + 1)
    elif present["revision"] < highest:
        await client.update({**present, "revision": highest + 1})
    return name


async def _create(client: Client, owner: Obj, name: str, mark: str, number: int) -> None:
    template = owner["spec"]["template"]
    labels = {**(template.get("metadata", {}).get("labels") or {}), LABEL: mark}
    body = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [owners.reference(owner)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number,
    }
    try:
        await client.create(body)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
