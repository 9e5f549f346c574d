"""metadata, which is the same for all kinds but for the alphabet of the name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.schema.errors import FieldError, invalid, required, too_long
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

RBAC = "rbac.authorization.k8s.io"
NAMES: dict[tuple[str, str], Callable[[str], Iterator[str]]] = {
    ("", "Namespace"): names.label_1123,
    ("", "Service"): names.label_1035,
    ("apps", "StatefulSet"): names.label_1123,
    ("policy", "PodDisruptionBudget"): names.path_segment,
    (RBAC, "Role"): names.path_segment,
    (RBAC, "ClusterRole"): names.path_segment,
    (RBAC, "RoleBinding"): names.path_segment,
    (RBAC, "ClusterRoleBinding"): names.path_segment,
}
"""The kinds whose names are no DNS subdomains."""

CORE = frozenset({"", "apps", "autoscaling", "batch", "networking.k8s.io", "coordination.k8s.io", RBAC})
"""The groups whose finalizers are either standard ones or have a domain; others may have any name."""

ANNOTATIONS_LIMIT = 256 * 1024  # bytes of keys and values together
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def check(group: str, kind: str, obj: Obj) -> Iterator[FieldError]:
    """Errors of an object's own metadata. The namespace is the caller's business: it depends on the URL."""
    meta = obj.get("metadata") or {}
    name, prefix = meta.get("name"), meta.get("generateName")
    alphabet = NAMES.get((group, kind), names.subdomain)
    if prefix:
        yield from (invalid("metadata.generateName", prefix, text) for text in alphabet(prefix.rstrip("-") or prefix))
    if name:
        yield from (invalid("metadata.name", name, text) for text in alphabet(name))
    else:
        yield required("metadata.name", "name or generateName is required")
    yield from label_map(meta.get("labels"), "metadata.labels")
    yield from annotation_map(meta.get("annotations"), "metadata.annotations")
    yield from _owners(meta.get("ownerReferences"), "metadata.ownerReferences")
    yield from _finalizers(meta.get("finalizers"), "metadata.finalizers", strict=group in CORE)


def label_map(found: Any, path: str) -> Iterator[FieldError]:
    """Errors of a map of labels; they are all at the map, as the API server has it."""
    for key, value in (found or {}).items():
        yield from (invalid(path, key, text) for text in names.qualified(key))
        yield from (invalid(path, value, text) for text in names.label_value(value))


def label_key(key: str, path: str) -> Iterator[FieldError]:
    """Errors of a label's key alone."""
    return (invalid(path, key, text) for text in names.qualified(key))


def annotation_map(found: Any, path: str) -> Iterator[FieldError]:
    size = 0
    for key, value in (found or {}).items():
        size += len(key.encode()) + len(value.encode())
        yield from (invalid(path, key, text) for text in names.qualified(key.lower()))
    if size > ANNOTATIONS_LIMIT:
        yield too_long(path, ANNOTATIONS_LIMIT)


def _owners(found: Any, path: str) -> Iterator[FieldError]:
    controllers = []
    for owner in found or ():
        for field, detail in (
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(field):
                yield invalid(f"{path}.{field}", owner.get(field, ""), detail)  # the real one names no index here
        if owner.get("controller"):
            controllers.append(owner)
    if len(controllers) > 1:
        yield invalid(path, found, "Only one reference can have Controller set to true")


def _finalizers(found: Any, path: str, *, strict: bool) -> Iterator[FieldError]:
    for index, name in enumerate(found or ()):
        yield from (invalid(path, name, text) for text in names.qualified(name))
        if strict and "/" not in name and name not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"{path}[{index}]", name, text)
