"""ConfigMaps, Secrets, volume claims."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def config_map(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for field, keys in (("data", data), ("binaryData", binary)):
        for key in keys:
            yield from (invalid(f"{field}[{key}]", key, text) for text in names.config_key(key))
    yield from (duplicate(f"data[{key}]", key) for key in data if key in binary)


def secret(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    data, kind = obj.get("data") or {}, obj.get("type")
    for key in data:
        yield from (invalid(f"data[{key}]", key, text) for text in names.config_key(key))
    yield from (required(f"data[{key}]") for key in NEEDED.get(str(kind), ()) if key not in data)


def volume_claim(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from claim(spec, "spec")
    if old is not None:
        before = old.get("spec") or {}
        free = ("resources", "volumeName", "volumeAttributesClassName")
        if any(spec.get(key) != before.get(key) for key in {**spec, **before} if key not in free):
            text = "spec is immutable after creation except resources.requests and volumeAttributesClassName"
            yield forbidden("spec", f"{text} for bound claims")


def claim(spec: Obj, path: str) -> Iterator[FieldError]:
    """What a claim asks for, on its own or in a template of claims."""
    modes = spec.get("accessModes")
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    storage = spec.get("storageClassName")
    if storage:
        yield from (invalid(f"{path}.storageClassName", storage, text) for text in names.subdomain(storage))
    for mode in modes or ():
        if mode not in MODES:
            yield not_supported(f"{path}.accessModes", mode, MODES)
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield required(f"{path}.resources[storage]")
