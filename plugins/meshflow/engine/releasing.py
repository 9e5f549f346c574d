"""The image of a service: who sets it, and how it is kept out of everything else.

A manifest carries the image that a first installation starts from. From then on the field belongs to the field manager
`meshflow-release`, by digest; the manifests are applied without it, so that neither a run of a phase nor a drift check
ever takes a release back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.engine.planner import MANAGER as MESHFLOW
from meshflow.mesh import observation
from meshflow.mesh.observation import RELEASE_ID
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference

MANAGER = "meshflow-release"
WORKLOADS = ("Deployment", "StatefulSet")


class Workload(NamedTuple):
    """The workload that runs a service's image, and what Flagger knows about it."""

    reference: Reference
    container: str
    image: str  # as the manifest has it
    canary: str | None = None  # name of the Canary that watches it, None without one
    routes: str | None = None  # name of the VirtualService that Flagger makes for that


def workload(service: str, objects: Sequence[Desired]) -> Workload:
    """The workload of a service: the target of its Canary, else its only Deployment or StatefulSet.

    Raises InvalidInput when the manifests do not say which one it is.
    """
    canary = next((item.obj for item in objects if item.reference.kind == "Canary"), None)
    wanted = canary["spec"]["targetRef"]["name"] if canary else None
    found = [
        item
        for item in objects
        if item.reference.kind in WORKLOADS and (wanted is None or item.reference.name == wanted)
    ]
    if len(found) != 1:
        raise errors.InvalidInput(
            f"{len(found)} workloads could carry the image of {service}, one has to",
            where=found[0].origin if found else f"services/{service}",
            way_out="Keep one Deployment or StatefulSet in the folder, or name it in the Canary's targetRef",
        )
    container = found[0].obj["spec"]["template"]["spec"]["containers"][0]
    plain = Workload(found[0].reference, container["name"], container["image"])
    if canary is None:
        return plain
    return plain._replace(canary=canary["metadata"]["name"], routes=observation.names(canary).service)


def released_image(live: Obj | None, container: str) -> str | None:
    """The image that `meshflow-release` gave the workload; None when it never did (or the workload is not there)."""
    if live is None or not _owns(live, MANAGER, container):
        return None
    return _container(live, container).get("image")


def without_released(
    objects: Sequence[Desired], target: Workload, live: Obj | None, *, pinned: str | None = None, release_id: str = ""
) -> tuple[Desired, ...]:
    """The objects as they are to be applied by `meshflow`.

    Once a release set the image it is left out. Before that it stays what runs: only a release may change it. A first
    installation starts from `pinned`, or else from the manifest's image. It is never left out while nobody else owns
    it: the server would remove it from the container.
    """
    edit = _edit(target, live, pinned=pinned, release_id=release_id)
    return tuple(
        Desired(edit(copy.deepcopy(item.obj)), item.origin) if item.reference == target.reference else item
        for item in objects
    )


def _edit(target: Workload, live: Obj | None, *, pinned: str | None, release_id: str) -> Callable[[Obj], Obj]:
    def edited(obj: Obj) -> Obj:
        template = obj["spec"]["template"]
        container = _container(obj, target.container)
        if released_image(live, target.container):
            del container["image"]
        elif live is not None:
            container["image"] = _container(live, target.container).get("image", target.image)
            if (mark := _annotations(live["spec"]["template"]).get(RELEASE_ID)) is not None:
                _annotations(template)[RELEASE_ID] = mark
        elif pinned:
            container["image"] = pinned
            _annotations(template)[RELEASE_ID] = release_id
        return obj

    return edited


def _container(obj: Obj, name: str) -> dict[str, Any]:
    containers = obj["spec"]["template"]["spec"]["containers"]
    return next((item for item in containers if item["name"] == name), {})


def _annotations(template: dict[str, Any]) -> dict[str, str]:
    annotations: dict[str, str] = template.setdefault("metadata", {}).setdefault("annotations", {})
    return annotations


async def set_image(kube: Kube, target: Workload, pinned: str, *, release_id: str) -> Obj:
    """Give the workload the image, as `meshflow-release`, and nothing else; returns the object as written.

    Force is right here: by decision the field is ours, whoever wrote it last. Safe to repeat.
    """
    return await kube.apply(release_patch(target, pinned, release_id), manager=MANAGER, force=True)


def release_patch(target: Workload, pinned: str, release_id: str) -> Obj:
    """What `meshflow-release` applies: the image of one container and the id of the release."""
    group, kind, namespace, name = target.reference
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "template": {
                "metadata": {"annotations": {RELEASE_ID: release_id}},
                "spec": {"containers": [{"name": target.container, "image": pinned}]},
            }
        },
    }


def written_at(obj: Obj, manager: str = MANAGER) -> datetime | None:
    """When a manager last changed the object, by the cluster's clock; None when it never did."""
    times = [
        entry["time"]
        for entry in obj["metadata"].get("managedFields", [])
        if entry.get("manager") == manager and entry.get("time")
    ]
    return datetime.fromisoformat(max(times).replace("Z", "+00:00")) if times else None


def shared(live: Obj, container: str) -> bool:
    """Whether `meshflow` itself still owns the image, as after a first installation."""
    return _owns(live, MESHFLOW, container)


def _owns(live: Obj, manager: str, container: str) -> bool:
    path = ("f:spec", "f:template", "f:spec", "f:containers", f'k:{{"name":"{container}"}}', "f:image")
    return any(
        _has(entry.get("fieldsV1", {}), path)
        for entry in live["metadata"].get("managedFields", [])
        if entry.get("manager") == manager and entry.get("operation") == "Apply"
    )


def _has(fields: dict[str, Any], path: Sequence[str]) -> bool:
    for step in path:
        if step not in fields:
            return False
        fields = fields[step]
    return True
