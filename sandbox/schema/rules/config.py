"""ConfigMaps, Secrets, volume claims, leases."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, duplicate, forbidden, invalid, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

LOCKED = "field is immutable when `immutable` is set"
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
    yield from _locked(obj, old, "data", "binaryData")


def secret(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    data, kind = obj.get("data") or {}, obj.get("type")
    for key in data:
        yield from (invalid(f"data[{key}]", key, text) for text in names.config_key(key))
    yield from (required(f"data[{key}]") for key in NEEDED.get(str(kind), ()) if key not in data)
    if old is not None and kind != old.get("type"):
        yield invalid("type", kind, "field is immutable")
    yield from _locked(obj, old, "data")


def _locked(obj: Obj, old: Obj | None, *fields: str) -> Iterator[FieldError]:
    if old is None or not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield forbidden("immutable", LOCKED)
    yield from (forbidden(field, LOCKED) for field in fields if obj.get(field) != old.get(field))


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


def lease(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if "leaseDurationSeconds" in spec and spec["leaseDurationSeconds"] <= 0:
        yield invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        yield invalid("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0")
    if spec.get("holderIdentity") == "" and "holderIdentity" in spec:
        yield invalid("spec.holderIdentity", "", "must not be empty")
