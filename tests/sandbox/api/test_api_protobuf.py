"""The few bodies that kubectl sends as protobuf."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.api import protobuf
from sandbox.api.errors import ApiError


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2]) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def test_an_access_review_is_read() -> None:
    attributes = field(1, "shop") + field(2, "create") + field(3, "apps") + field(5, "deployments")
    raw = field(1, b"") + field(2, field(1, attributes))
    found = protobuf.decode(body("authorization.k8s.io/v1", "SelfSubjectAccessReview", raw))
    about = {"namespace": "shop", "verb": "create", "group": "apps", "resource": "deployments"}
    assert found["spec"] == {"resourceAttributes": about}


def test_a_configmap_is_read_with_its_maps() -> None:
    pairs = field(2, field(1, "a") + field(2, "1")) + field(2, field(1, "b") + field(2, "2"))
    raw = field(1, field(1, "c") + field(3, "")) + pairs + field(3, field(1, "x") + field(2, b"\x00\xff"))
    found = protobuf.decode(body("v1", "ConfigMap", raw))
    assert found["metadata"]["name"] == "c"
    assert found["data"] == {"a": "1", "b": "2"}
    assert found["binaryData"] == {"x": "AP8="}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00\x0a\xff", 400),
        (body("v1", "Pod", b""), 415),
        (body("v1", "ServiceAccount", field(2, field(3, "lost"))), 415),
    ],
    ids=["no prefix", "cut off", "a kind without a table", "a field that would be lost"],
)
def test_what_cannot_be_read_whole_is_refused(raw: bytes, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        protobuf.decode(raw)
    assert caught.value.code == code


async def test_kubectl_create_reaches_the_store(api: Any) -> None:
    raw = body("v1", "ServiceAccount", field(1, field(1, "robot")))
    headers = {"Content-Type": protobuf.CONTENT_TYPE}
    answer = await api.http.post("/api/v1/namespaces/shop/serviceaccounts", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["metadata"]["name"]) == (201, "robot")
