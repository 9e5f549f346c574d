"""Bodies that kubectl sends as protobuf: `auth can-i`, `create token`, `create configmap` and their like.

The envelope is the four bytes "k8s\\0" and a message with apiVersion, kind and the object's own bytes. Field numbers of
the few kinds that kubectl's typed clients send are tables below; everything else is 415, and JSON works for all kinds.
Answers are always JSON, which these clients accept too.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sandbox.api.errors import bad_request, unsupported_media_type

Obj = dict[str, Any]

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """What a field number is. `kind`: text, bytes, number, flag, map (text to text), blobs (text to bytes), quantities,
    intstr, time, or the name of a message in MESSAGES."""

    name: str
    kind: str = "text"
    many: bool = False


def _message(*fields: tuple[int, str] | tuple[int, str, str] | tuple[int, str, str, bool]) -> Mapping[int, Field]:
    return {number: Field(*rest) for number, *rest in fields}


MESSAGES: dict[str, Mapping[int, Field]] = {
    "ObjectMeta": _message(
        (1, "name"),
        (2, "generateName"),
        (3, "namespace"),
        (5, "uid"),
        (6, "resourceVersion"),
        (11, "labels", "map"),
        (12, "annotations", "map"),
        (14, "finalizers", "text", True),
    ),
    "SelfSubjectAccessReview": _message((1, "metadata", "ObjectMeta"), (2, "spec", "AccessSpec")),
    "AccessSpec": _message((1, "resourceAttributes", "Attributes"), (2, "nonResourceAttributes", "PathAttributes")),
    "Attributes": _message(
        (1, "namespace"), (2, "verb"), (3, "group"), (4, "version"), (5, "resource"), (6, "subresource"), (7, "name")
    ),
    "PathAttributes": _message((1, "path"), (2, "verb")),
    "SelfSubjectRulesReview": _message((1, "metadata", "ObjectMeta"), (2, "spec", "RulesSpec")),
    "RulesSpec": _message((1, "namespace")),
    "SelfSubjectReview": _message((1, "metadata", "ObjectMeta")),
    "TokenRequest": _message((1, "metadata", "ObjectMeta"), (2, "spec", "TokenSpec")),
    "TokenSpec": _message((1, "audiences", "text", True), (4, "expirationSeconds", "number")),
    "ConfigMap": _message(
        (1, "metadata", "ObjectMeta"), (2, "data", "map"), (3, "binaryData", "blobs"), (4, "immutable", "flag")
    ),
    "Secret": _message(
        (1, "metadata", "ObjectMeta"),
        (2, "data", "blobs"),
        (3, "type"),
        (4, "stringData", "map"),
        (5, "immutable", "flag"),
    ),
    "Namespace": _message((1, "metadata", "ObjectMeta")),
    "ServiceAccount": _message((1, "metadata", "ObjectMeta")),
    "Eviction": _message((1, "metadata", "ObjectMeta"), (2, "deleteOptions", "DeleteOptions")),
    "DeleteOptions": _message(
        (1, "gracePeriodSeconds", "number"), (4, "propagationPolicy"), (5, "dryRun", "text", True)
    ),
    "Deployment": _message((1, "metadata", "ObjectMeta"), (2, "spec", "DeploymentSpec")),
    "DeploymentSpec": _message(
        (1, "replicas", "number"), (2, "selector", "LabelSelector"), (3, "template", "PodTemplateSpec")
    ),
    "LabelSelector": _message((1, "matchLabels", "map")),
    "PodTemplateSpec": _message((1, "metadata", "ObjectMeta"), (2, "spec", "PodSpec")),
    "PodSpec": _message((2, "containers", "Container", True)),
    "Container": _message(
        (1, "name"),
        (2, "image"),
        (3, "command", "text", True),
        (4, "args", "text", True),
        (6, "ports", "ContainerPort", True),
    ),
    "ContainerPort": _message((1, "name"), (3, "containerPort", "number"), (4, "protocol")),
}
_IGNORED = {  # what the server decides itself; reading on without it loses nothing
    "ObjectMeta": {4, 7, 8, 9, 10, 13, 17},
    "SelfSubjectAccessReview": {3},
    "SelfSubjectRulesReview": {3},
    "SelfSubjectReview": {2},
    "TokenRequest": {3},
    "Namespace": {2, 3},
    "Deployment": {3},
    "DeploymentSpec": {4},
}
_EMPTY_MEANS_ABSENT = frozenset({"name", "generateName", "namespace", "uid", "resourceVersion", "type", "protocol"})


def decode(body: bytes) -> Obj:
    """Return the object of a protobuf body. Raises 415 for kinds without a table, 400 for malformed bytes."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body does not begin with the protobuf prefix k8s")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        described = {number: value.decode() for number, value in _fields(envelope[1])}
        api_version, kind = described.get(1, ""), described.get(2, "")
        if kind not in MESSAGES:
            raise unsupported_media_type(["application/json", "application/yaml"])
        return {"apiVersion": api_version, "kind": kind, **_read(kind, envelope.get(2, b""))}
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise bad_request(f"malformed protobuf body: {error}") from error


def _read(message: str, raw: bytes) -> Obj:
    found: Obj = {}
    for number, value in _fields(raw):
        field = MESSAGES[message].get(number)
        if field is None:
            if not value or number in _IGNORED.get(message, ()):
                continue
            raise unsupported_media_type(["application/json", "application/yaml"])
        read = _value(field, value)
        if field.many:
            found.setdefault(field.name, []).append(read)
        elif isinstance(read, dict) and field.kind in ("map", "blobs"):
            found.setdefault(field.name, {}).update(read)
        elif read != "" or field.name not in _EMPTY_MEANS_ABSENT:
            found[field.name] = read
    return {key: value for key, value in found.items() if value != "" or key in ("group", "namespace")}


def _value(field: Field, value: Any) -> Any:
    match field.kind:
        case "text":
            return value.decode()
        case "number":
            return value - (1 << 64) if value >= 1 << 63 else value
        case "flag":
            return bool(value)
        case "map" | "blobs":
            pair = dict(_fields(value))
            item = pair.get(2, b"")
            return {pair[1].decode(): item.decode() if field.kind == "map" else base64.b64encode(item).decode()}
    return _read(field.kind, value)


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value) of a message: integers for varints, bytes for the rest."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(raw, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(raw):
            raise ValueError("it ends too early")
        yield number, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
