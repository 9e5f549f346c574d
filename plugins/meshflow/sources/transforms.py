"""What a kustomization changes in every object: names, namespace, labels, annotations, images, replicas.

Each function takes an object and returns another; none changes what it is given. What is no map where one belongs is
left as it is: the check of the whole object names it with its line.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from meshflow.objects.reference import Obj

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob")
SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "PodDisruptionBudget")

Renames = Mapping[tuple[str, str], str]
"""(kind, old name) → new name."""


class ImageChange(NamedTuple):
    """An entry of `images`."""

    name: str
    new_name: str | None
    new_tag: str | None
    digest: str | None


class LabelChange(NamedTuple):
    """An entry of `labels`, or `commonLabels`."""

    pairs: Mapping[str, str]
    selectors: bool
    templates: bool


def namespaced(obj: Obj, namespace: str) -> Obj:
    """In a namespace; ServiceAccounts among the subjects of a binding follow."""
    changed = copy.deepcopy(obj)
    changed["metadata"]["namespace"] = namespace
    for subject in _maps(changed.get("subjects")):
        if subject.get("kind") == "ServiceAccount":
            subject["namespace"] = namespace
    return changed


def renamed(obj: Obj, name: str) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "name": name}}


def annotated(obj: Obj, annotations: Mapping[str, str]) -> Obj:
    """With annotations, on pod templates too."""
    changed = copy.deepcopy(obj)
    for metadata in _metadatas(changed, templates=True):
        _put(metadata, "annotations", annotations)
    return changed


def labelled(obj: Obj, change: LabelChange) -> Obj:
    """With labels; on pod templates and in selectors where the change says so."""
    changed = copy.deepcopy(obj)
    for metadata in _metadatas(changed, templates=change.templates or change.selectors):
        _put(metadata, "labels", change.pairs)
    if change.selectors:
        for selector in _selectors(changed):
            selector.update(change.pairs)
    return changed


def with_images(obj: Obj, changes: Sequence[ImageChange]) -> Obj:
    """With other images in its containers, wherever they are in the object."""
    by_name = {change.name: change for change in changes}

    def change(node: dict[str, Any]) -> None:
        for container in [*_maps(node.get("containers")), *_maps(node.get("initContainers"))]:
            if isinstance(container.get("image"), str):
                container["image"] = _image(container["image"], by_name)

    return _everywhere(obj, change)


def with_replicas(obj: Obj, count: int) -> Obj:
    changed = copy.deepcopy(obj)
    _put(changed, "spec", {"replicas": count})
    return changed


def with_references(obj: Obj, renames: Renames) -> Obj:
    """With the new names of what it refers to: in pod specs, bindings, autoscalers, Ingresses, Canaries, webhooks."""
    if not renames:
        return obj

    def change(node: dict[str, Any]) -> None:
        for kind, holder, key in _references(node):
            holder[key] = renames.get((kind, holder[key]), holder[key])

    return _everywhere(obj, change)


_NAMED_BY = {
    # the field that holds a map → (kind, key of the name in it)
    "configMapKeyRef": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"),
    "configMap": ("ConfigMap", "name"),
    "secretKeyRef": ("Secret", "name"),
    "secretRef": ("Secret", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "service": ("Service", "name"),
}
_TYPED = ("scaleTargetRef", "targetRef", "autoscalerRef", "roleRef")
_PLAIN = {"serviceAccountName": "ServiceAccount", "serviceName": "Service"}


def _references(node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(kind, map, key) of each name of another object that stands directly in `node`."""
    for field, value in node.items():
        if field in _NAMED_BY and isinstance(value, dict):
            kind, key = _NAMED_BY[field]
            if field == "secret" and "name" in value:  # in a projected volume
                key = "name"
            if isinstance(value.get(key), str):
                yield kind, value, key
        elif field in _TYPED and isinstance(value, dict) and isinstance(value.get("name"), str):
            yield str(value.get("kind")), value, "name"
        elif field in _PLAIN and isinstance(value, str):
            yield _PLAIN[field], node, field
        elif field in ("subjects", "imagePullSecrets") and isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                    yield str(entry.get("kind", "Secret")), entry, "name"


def _everywhere(obj: Obj, change: Callable[[dict[str, Any]], None]) -> Obj:
    changed = copy.deepcopy(obj)
    stack: list[Any] = [value for name, value in changed.items() if name in ("spec", "webhooks", "template")]
    top = {name: value for name, value in changed.items() if name in ("subjects", "roleRef", "imagePullSecrets")}
    change(top)
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            change(node)
            stack += node.values()
        elif isinstance(node, list):
            stack += node
    return changed


def _metadatas(obj: Obj, *, templates: bool) -> Iterator[dict[str, Any]]:
    yield obj["metadata"]
    if templates and obj["kind"] in WORKLOADS and (template := _template(obj)) is not None:
        yield from _maps([template.setdefault("metadata", {})])


def _template(obj: Obj) -> dict[str, Any] | None:
    path = ("spec", "jobTemplate", "spec", "template") if obj["kind"] == "CronJob" else ("spec", "template")
    found: Any = obj
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _selectors(obj: Obj) -> Iterator[dict[str, Any]]:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    if obj["kind"] in SELECTING:
        for selector in _maps([spec.setdefault("selector", {})]):
            yield from _maps([selector.setdefault("matchLabels", {})])
    elif obj["kind"] == "Service" and spec.get("selector"):
        yield from _maps([spec["selector"]])
    elif obj["kind"] == "NetworkPolicy":
        for selector in _maps([spec.setdefault("podSelector", {})]):
            yield from _maps([selector.setdefault("matchLabels", {})])


def _maps(entries: Any) -> list[dict[str, Any]]:
    """The maps in a list; none where there is no list."""
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _put(holder: dict[str, Any], name: str, pairs: Mapping[str, Any]) -> None:
    """Lay pairs over the map that stands under a name, or that is missing there."""
    found = holder.get(name)
    if found is None or isinstance(found, dict):
        holder[name] = {**(found or {}), **pairs}


def _image(image: str, changes: Mapping[str, ImageChange]) -> str:
    rest, _, digest = image.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:  # the colon of a port, or none
        name, tag = rest, ""
    change = changes.get(name)
    if change is None:
        return image
    name = change.new_name or name
    if change.digest:
        return f"{name}@{change.digest}"
    if change.new_tag:
        return f"{name}:{change.new_tag}"
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
