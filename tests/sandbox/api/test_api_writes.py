"""Writes as HTTP sees them: who may come in, no-ops, dry runs, and who wins when two write at once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.api.errors import ApiError

CONFIGS = "/api/v1/namespaces/shop/configmaps"


async def test_nothing_but_health_is_answered_without_a_token(api: Any) -> None:
    transport = httpx.ASGITransport(api.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as stranger:
        assert (await stranger.get("/readyz")).text == "ok"
        for path in ("/version", "/api/v1/namespaces", "/_sandbox/status", "/nope"):
            answer = await stranger.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized"), path


async def test_a_write_that_changes_nothing_is_not_counted(api: Any) -> None:
    await api.config("c", a="1")
    writes = api.server.store.writes
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    await api.patch(f"{CONFIGS}/c", applied, kind="apply", fieldManager="m")
    first = api.server.store.writes
    await api.patch(f"{CONFIGS}/c", applied, kind="apply", fieldManager="m")
    await api.patch(f"{CONFIGS}/c", {"data": {"a": "1"}})
    assert (first - writes, api.server.store.writes - first) == (1, 0)


async def test_an_applied_value_that_cannot_be_read_is_an_internal_error(api: Any) -> None:
    """So the real server calls it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "much"}}}]},
    }
    told = await api.patch("/api/v1/namespaces/shop/pods/p", pod, kind="apply", fieldManager="m", code=500)
    assert told["message"].startswith(
        "failed to convert new object (shop/p; /v1, Kind=Pod) to proper version: unable to convert "
        "unstructured object to /v1, Kind=Pod: quantities must match"
    )


async def test_a_dry_run_counts_as_no_write(api: Any) -> None:
    writes = api.server.store.writes
    await api.ask("POST", CONFIGS, {"metadata": {"name": "dry"}}, code=201, dryRun="All")
    await api.ask("GET", f"{CONFIGS}/dry", code=404)
    assert api.server.store.writes == writes


async def test_writes_are_counted_by_who_made_them(api: Any) -> None:
    writers = api.server.store.writers
    before = writers.copy()
    await api.ask("POST", CONFIGS, {"metadata": {"name": "c"}}, code=201, fieldManager="me")
    await api.patch(f"{CONFIGS}/c", {"data": {"a": "1"}}, fieldManager="you")
    await api.ask("DELETE", f"{CONFIGS}/c")
    made = writers - before
    assert (made["me"], made["you"], made.total()) == (1, 1, 3)
    assert sum(count for who, count in made.items() if who.startswith("python")) == 1


async def test_requests_are_counted_by_verb_and_resource(api: Any) -> None:
    await api.config("c")
    await api.ask("GET", CONFIGS)
    assert api.application.requests["create", "configmaps"] == 1
    assert api.application.requests["list", "configmaps"] == 1


async def test_what_is_handed_to_the_client_inside_is_not_changed(api: Any) -> None:
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": {"a": "1"}}
    made = await api.inside.create(mine)
    assert set(mine["metadata"]) == {"name", "namespace"}
    assert made["metadata"]["uid"]


async def test_a_stale_update_from_inside_is_a_conflict(api: Any) -> None:
    stale = await api.config("c", a="1")
    await api.patch(f"{CONFIGS}/c", {"data": {"a": "2"}})
    with pytest.raises(ApiError) as caught:
        await api.inside.update(stale)
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")


async def test_a_fault_before_the_request_answers_in_its_place(api: Any) -> None:
    async def refuse(info: Any) -> None:
        if (info.verb, info.resource) == ("list", "configmaps"):
            raise ApiError(503, "ServiceUnavailable", "on request")

    api.application.before = refuse
    assert (await api.ask("GET", CONFIGS, code=503))["message"] == "on request"
    await api.config("c")


async def test_autoscalers_are_shown_in_the_old_version_too(api: Any) -> None:
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3}
    path = "/apis/autoscaling/{}/namespaces/shop/horizontalpodautoscalers"
    body = {"metadata": {"name": "h"}, "spec": {**spec, "metrics": [metric]}}
    await api.ask("POST", path.format("v2"), body, code=201)
    old = await api.ask("GET", path.format("v1") + "/h")
    assert old["spec"]["targetCPUUtilizationPercentage"] == 70
    old["spec"]["targetCPUUtilizationPercentage"] = 50
    await api.ask("PUT", path.format("v1") + "/h", old)
    new = await api.ask("GET", path.format("v2") + "/h")
    assert new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
