"""Definitions of custom resources: what follows from a change, and what stands in the way."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.sandbox.api.conftest import definition

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def settled(api: Any, name: str = "widgets.example.test") -> dict[str, Any]:
    for _ in range(10):
        await asyncio.sleep(0)
    found: dict[str, Any] = (await api.ask("GET", f"{PATH}/{name}"))["status"]
    return found


async def test_a_new_storage_version_is_remembered_beside_the_old_one(api: Any) -> None:
    await api.ask("POST", PATH, definition(versions=("v1beta1", "v1")), code=201)
    assert (await settled(api))["storedVersions"] == ["v1beta1"]
    swap = [{"op": "replace", "path": f"/spec/versions/{n}/storage", "value": bool(n)} for n in (0, 1)]
    await api.patch(f"{PATH}/widgets.example.test", swap, kind="json")
    assert (await settled(api))["storedVersions"] == ["v1beta1", "v1"]


async def test_a_kind_that_is_taken_in_its_group_is_not_established(api: Any) -> None:
    await api.ask("POST", PATH, definition(), code=201)
    await settled(api)
    await api.ask("POST", PATH, definition("Widget", "gadgets"), code=201)
    status = await settled(api, "gadgets.example.test")
    assert {c["type"]: c["status"] for c in status["conditions"]} == {"NamesAccepted": "False", "Established": "False"}
    answer = await api.http.get("/apis/example.test/v1/gadgets")
    assert (answer.status_code, answer.text.strip()) == (404, "404 page not found")


async def test_a_served_version_can_be_switched_off(api: Any) -> None:
    await api.ask("POST", PATH, definition(versions=("v1", "v1beta1")), code=201)
    await settled(api)
    await api.ask("GET", "/apis/example.test/v1beta1/widgets")
    off = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
    await api.patch(f"{PATH}/widgets.example.test", off, kind="json")
    assert (await api.http.get("/apis/example.test/v1beta1/widgets")).status_code == 404
    await api.ask("GET", "/apis/example.test/v1/widgets")
