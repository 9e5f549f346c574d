"""Faults on request, as a client over HTTP meets them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.cluster import Cluster
from sandbox.control import Refused

Obj = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"


class Caller:
    """A client of the cluster from outside, and its control API."""

    def __init__(self, cluster: Cluster) -> None:
        trust = ssl.create_default_context(cadata=cluster.authority.pem.decode())
        headers = {"Authorization": f"Bearer {cluster.access.token}"}
        self.http = httpx.AsyncClient(base_url=cluster.url, verify=trust, headers=headers, trust_env=False)
        self.faults = cluster.faults
        self.cluster = cluster

    async def status(self, path: str = PODS, **more: Any) -> int:
        return (await self.http.get(path, **more)).status_code

    async def control(self, method: str, body: Obj | None = None) -> httpx.Response:
        return await self.http.request(method, "/_sandbox/faults", json=body or {})


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Cluster(speed=50) as cluster:
        made = Caller(cluster)
        yield made
        await made.http.aclose()


async def test_an_error_meets_what_matches_as_often_as_it_is_told(caller: Caller) -> None:
    """By verb and resource; 429 says when to come back."""
    caller.faults.add("error", verb="list", resource="pods", code=429, retry_after=3, count=1)
    assert await caller.status("/api/v1/namespaces/default/services") == 200
    answer = await caller.http.get(PODS)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["reason"] == "TooManyRequests"
    assert await caller.status() == 200
    assert caller.faults.active == {}


@pytest.mark.parametrize("code", [500, 503])
async def test_server_errors_are_status_objects(caller: Caller, code: int) -> None:
    """As the real ones."""
    caller.faults.add("error", code=code, count=1)
    answer = await caller.http.get(PODS)
    assert (answer.status_code, answer.json()["kind"], answer.json()["code"]) == (code, "Status", code)


async def test_a_rate_meets_a_share_and_the_same_one_each_time(caller: Caller) -> None:
    """From a fixed seed."""
    caller.faults.add("error", rate=0.5)
    codes = [await caller.status() for _ in range(20)]
    assert 5 <= codes.count(503) <= 15
    async with Cluster() as other:
        again = Caller(other)
        again.faults.add("error", rate=0.5)
        assert [await again.status() for _ in range(20)] == codes
        await again.http.aclose()


async def test_a_fault_ends_after_its_seconds(caller: Caller) -> None:
    """Of the sandbox's clock."""
    fault = caller.faults.add("error", seconds=5)
    assert await caller.status() == 503
    await caller.faults._ends[fault.id]
    assert await caller.status() == 200


async def test_a_reset_drops_the_connection(caller: Caller) -> None:
    """Nothing is answered, and the next request is."""
    caller.faults.add("reset", count=1)
    with pytest.raises(httpx.TransportError):
        await caller.status()
    assert await caller.status() == 200


async def test_a_hanging_request_is_not_answered(caller: Caller) -> None:
    """Until its client gives up; clearing lets go of the others."""
    caller.faults.add("hang", verb="list", resource="pods")
    with pytest.raises(httpx.ReadTimeout):
        await caller.status(timeout=0.1)
    held = asyncio.create_task(caller.status())
    while caller.faults.active[1].hits < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    caller.faults.clear()
    with pytest.raises(httpx.TransportError):
        await held


@pytest.mark.parametrize("expire", [False, True])
async def test_watches_end_or_expire(caller: Caller, expire: bool) -> None:
    """Those that are open now: quietly, or with 410."""
    async with caller.http.stream("GET", PODS, params={"watch": "true", "resourceVersion": "0"}) as stream:
        lines = stream.aiter_lines()
        assert caller.faults.add("watches", resource="pods", expire=expire).hits == 1
        events = [json.loads(line) async for line in lines]
    codes = [event["object"]["code"] for event in events if event["type"] == "ERROR"]
    assert codes == ([410] if expire else [])


async def test_a_clock_jumps_and_comes_back(caller: Caller) -> None:
    """New objects carry the other time while it lasts."""
    before = caller.cluster.clock.now()
    caller.faults.add("clock", by=3600)
    assert 3590 < (caller.cluster.clock.now() - before).total_seconds() < 3610
    caller.faults.clear()
    assert (caller.cluster.clock.now() - before).total_seconds() < 60


async def test_containers_break_and_mend(caller: Caller) -> None:
    """By image; the kubelet's table is as before afterwards."""
    caller.faults.add("pods", image="*bad*", changes={"crash_after": 1})
    behaviours = caller.cluster.controllers.kubelet.behaviours
    assert behaviours.of("default", "p", "c", "x/bad:1").crash_after == 1
    assert behaviours.of("default", "p", "c", "x/good:1").crash_after is None
    caller.faults.clear()
    assert behaviours.rules == []


async def test_webhooks_answer_again_when_the_last_outage_ends(caller: Caller) -> None:
    """Two outages are one until both are over."""
    first, second = caller.faults.add("webhooks"), caller.faults.add("webhooks")
    admission = caller.cluster.server.admission
    caller.faults.clear(first.id)
    assert admission.outage
    caller.faults.clear(second.id)
    assert not admission.outage


async def test_the_control_api_lists_adds_and_clears(caller: Caller) -> None:
    """Itself it is never struck."""
    added = (await caller.control("POST", {"kind": "error", "code": 503})).json()
    assert (added["id"], added["kind"], added["hits"]) == (1, "error", 0)
    assert [fault["id"] for fault in (await caller.control("GET")).json()["faults"]] == [1]
    assert [fault["id"] for fault in (await caller.control("DELETE")).json()["cleared"]] == [1]
    assert await caller.status() == 200


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"kind": "nope"}, "no fault is called 'nope'"),
        ({"kind": "error", "ratio": 1}, "has no setting 'ratio'"),
        ({"kind": "error", "rate": 2}, "'rate' must be a number from 0 to 1"),
        ({"kind": "error", "code": 200}, "'code' must be the status of an error"),
        ({"kind": "delay"}, "needs 'by'"),
        ({"kind": "pods", "changes": {"explode": True}}, "needs 'changes'"),
        ({"kind": "error", "rate": "often"}, "could not convert"),
    ],
)
async def test_a_wrong_fault_is_refused_with_a_sentence(caller: Caller, body: Obj, sentence: str) -> None:
    """400, and nothing is in force."""
    answer = await caller.control("POST", body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]
    assert caller.faults.active == {}


async def test_refusals_reach_python_callers_too(caller: Caller) -> None:
    """As the control API's exception."""
    with pytest.raises(Refused):
        caller.faults.add("nope")
