"""ConfigMaps, Secrets, volume claims."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, duplicate, forbidden, invalid, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

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
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield required("spec.resources[storage]")
    if old is not None:
        before = old.get("spec") or {}
        free = ("resources", "volumeName", "volumeAttributesClassName")
        if any(spec.get(key) != before.get(key) for key in {**spec, **before} if key not in free):
            yield forbidden(
                "spec",
                "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
                "bound claims",
            )
