"""Lists and watches beyond what the contract suite can see from outside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.api import errors, listing, watching
from sandbox.api.errors import ApiError
from sandbox.store import store as stores
from tests.sandbox.api.conftest import definition

CONFIGS = "/api/v1/namespaces/shop/configmaps"


async def test_a_page_whose_state_is_forgotten_is_expired_and_brings_a_token_to_go_on(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "HISTORY", 3)
    for name in ("a", "b", "c"):
        await api.config(name)
    first = await api.ask("GET", CONFIGS, limit="1")
    for _ in range(5):
        await api.patch(f"{CONFIGS}/a", {"data": {"n": str(_)}})
    gone = await api.ask("GET", CONFIGS, code=410, limit="1", **{"continue": first["metadata"]["continue"]})
    assert gone["reason"] == "Expired"
    rest = await api.ask("GET", CONFIGS, **{"continue": gone["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]


async def test_a_list_at_an_exact_version_shows_that_state(api: Any) -> None:
    made = await api.config("a", n="1")
    await api.patch(f"{CONFIGS}/a", {"data": {"n": "2"}})
    version = made["metadata"]["resourceVersion"]
    found = await api.ask("GET", CONFIGS, resourceVersion=version, resourceVersionMatch="Exact")
    assert [item["data"]["n"] for item in found["items"]] == ["1"]


async def test_a_version_from_the_future_times_out(api: Any) -> None:
    waiting = asyncio.ensure_future(api.ask("GET", CONFIGS, code=504, resourceVersion="999999"))
    await api.clock.advance(listing.WAIT_FOR_FUTURE)
    status = await waiting
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_watch_ends_with_the_error_that_a_fault_gives_it(api: Any) -> None:
    resource = api.server.resource("v1", "ConfigMap")
    watch = watching.Watch(api.server, resource, lambda obj: True, None)
    await api.config("a")
    watch.end(errors.expired("on request"))
    assert [seen.change for seen in await watch.batch() or []] == ["ADDED"]
    with pytest.raises(ApiError, match="on request"):
        await watch.batch()


async def test_a_quiet_watch_keeps_up_with_the_present_version(api: Any) -> None:
    resource = api.server.resource("v1", "Pod")
    watch = watching.Watch(api.server, resource, lambda obj: True, None)
    await api.config("elsewhere")
    assert await watch.batch(pause=0.01) == []
    assert watch.version == api.server.store.version
    watch.close()


async def test_the_client_inside_sees_what_is_there_then_each_change(api: Any) -> None:
    await api.config("a", n="1")
    events = api.inside.watch("v1", "ConfigMap", "shop")
    assert (await anext(events))[0] == "ADDED"
    await api.patch(f"{CONFIGS}/a", {"data": {"n": "2"}})
    change, obj = await anext(events)
    assert (change, obj["data"]) == ("MODIFIED", {"n": "2"})
    await events.aclose()


async def test_a_watch_inside_ends_when_the_definition_goes(api: Any) -> None:
    await api.inside.create(definition())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    events = api.inside.watch("example.test/v1", "Widget")
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await api.inside.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.test")
    with pytest.raises(ApiError):
        await waiting


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
async def test_what_needs_a_running_container_is_refused_with_the_reason(api: Any, subresource: str) -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "app", "image": "nginx"}]}}
    await api.ask("POST", "/api/v1/namespaces/shop/pods", pod, code=201)
    status = await api.ask("POST", f"/api/v1/namespaces/shop/pods/a/{subresource}", code=400)
    assert status["message"] == f"this is a sandbox: no container of a runs, so there is no {subresource}"
    log = await api.http.get("/api/v1/namespaces/shop/pods/a/log")
    assert (log.status_code, log.text) == (200, "This is a sandbox: no container of a runs, so there is no log.\n")
