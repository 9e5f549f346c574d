"""Waiting for health in a triggerer: many waiters, one stream, and whatever happens to the cluster meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from meshflow import errors
from meshflow.objects.reference import Reference
from meshflow.triggers.cluster import hub_of, wakeups
from meshflow.triggers.health import HealthTrigger, raise_unless_healthy, unhealthy
from sandbox.cluster import Cluster
from tests.triggers.conftest import START, Clock, Triggerer, until

Obj = dict[str, Any]
HEALTHY = {"status": "healthy", "waiting": [], "broken": []}


def config(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}}


def reference(name: str, kind: str = "ConfigMap", group: str = "") -> Reference:
    return Reference(group, kind, "shop", name)


def waiting(clock: Clock, *names: str, seconds: float = 600, cluster: str = "default") -> HealthTrigger:
    return HealthTrigger(cluster=cluster, deadline=clock.after(seconds), references=[reference(name) for name in names])


def requests(cluster: Cluster, verb: str) -> int:
    return cluster.application.requests[verb, "configmaps"]


async def listed(cluster: Cluster) -> None:
    """Wait until the hub watches."""
    await until(lambda: requests(cluster, "watch") > 0)


async def test_four_hundred_waits_cost_one_list_and_one_watch(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    tasks = [triggerer.start(waiting(clock, "a")) for _ in range(400)]
    await listed(cluster)
    await cluster.client("test").create(config("a"))
    assert await asyncio.gather(*tasks) == [[HEALTHY]] * 400
    assert (requests(cluster, "list"), requests(cluster, "watch")) == (1, 1)


async def test_who_comes_late_sees_what_is_there_without_asking_again(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    first = triggerer.start(waiting(clock, "never"))
    await listed(cluster)
    await cluster.client("test").create(config("a"))
    assert await triggerer.start(waiting(clock, "a")) == [HEALTHY]
    assert (requests(cluster, "list"), first.done()) == (1, False)


async def test_all_objects_have_to_be_healthy(cluster: Cluster, triggerer: Triggerer, clock: Clock) -> None:
    task = triggerer.start(waiting(clock, "a", "b"))
    await cluster.client("test").create(config("a"))
    await listed(cluster)
    assert not task.done()
    await cluster.client("test").create(config("b"))
    assert await task == [HEALTHY]


async def test_a_deadline_ends_in_a_sentence_that_names_what_was_missing(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    await cluster.client("test").create(config("a"))
    task = triggerer.start(waiting(clock, "a", "b", seconds=60))
    await listed(cluster)
    clock.now = START + timedelta(seconds=60)
    (event,) = await task
    with pytest.raises(errors.WaitExpired, match=r"istio, stage 1 did not become healthy in time.*ConfigMap/shop/b"):
        raise_unless_healthy(event, what="istio, stage 1")
    assert not any("shop/a" in line for line in event["waiting"])
    assert unhealthy(event) == [reference("b")]


async def test_a_wait_that_begins_after_its_deadline_still_gets_a_look(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    await cluster.client("test").create(config("a"))
    clock.now = START + timedelta(hours=1)  # the triggerer was down
    assert await triggerer.start(waiting(clock, "a", seconds=60)) == [HEALTHY]


async def test_a_cluster_that_cannot_be_asked_is_the_reason_and_not_a_missing_object(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    cluster.faults.add("error", verb="list", resource="configmaps", code=403)
    await cluster.client("test").create(config("a"))
    task = triggerer.start(waiting(clock, "a", seconds=60))
    await until(lambda: requests(cluster, "list") > 0)
    clock.now = START + timedelta(minutes=5)
    (event,) = await task
    assert event["status"] == "blind"
    assert event["waiting"][0].startswith("an answer of the cluster (")
    assert "shop/a" not in str(event)


def look(trigger: HealthTrigger, seen: Mapping[Reference, Obj | None] | None, trouble: Exception | None) -> Any:
    view: Any = SimpleNamespace(current=lambda: seen, trouble=trouble)
    return trigger._look(view, START)


def test_nothing_is_judged_by_what_may_be_old(clock: Clock) -> None:
    trigger = waiting(clock, "a")
    present = {reference("a"): config("a")}
    assert look(trigger, present, errors.Unreachable("connection refused", target="api")) is None
    assert look(trigger, present, None) == HEALTHY


def test_a_kind_that_is_not_served_is_an_answer(clock: Clock) -> None:
    clock.now = START + timedelta(hours=1)
    event = look(waiting(clock, "a"), {reference("a"): None}, errors.NotFound("no such kind"))
    assert event["status"] == "expired"
    assert "ConfigMap/shop/a" in event["waiting"][0]


def test_why_the_cluster_cannot_be_asked_is_a_line_in_the_tasks_log(clock: Clock) -> None:
    trigger, said = waiting(clock, "a"), list[str]()
    trigger._log = SimpleNamespace(info=lambda text, *values: said.append(text % values))  # type: ignore[assignment]
    for trouble in (errors.Unreachable("refused", target="api"), errors.Unreachable("refused", target="api"), None):
        look(trigger, None, trouble)
    assert said == ["The cluster cannot be asked: refused", "The cluster answers again."]


class Broken(HealthTrigger):
    """A waiter with a bug."""

    def judge(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any] | None:
        raise KeyError("bug")


async def test_one_waiters_bug_does_not_end_the_others(cluster: Cluster, triggerer: Triggerer, clock: Clock) -> None:
    good = triggerer.start(waiting(clock, "a"))
    bad = triggerer.start(Broken(cluster="default", deadline=clock.after(600), references=[reference("a")]))
    with pytest.raises(KeyError):
        await bad
    await cluster.client("test").create(config("a"))
    assert await good == [HEALTHY]


@pytest.mark.parametrize("expire", [False, True], ids=["dropped", "expired with 410"])
async def test_a_watch_that_ends_loses_nothing(
    cluster: Cluster, triggerer: Triggerer, clock: Clock, expire: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_of("default"), "_jitter", lambda: 0.0)
    task = triggerer.start(waiting(clock, "a"))
    await until(lambda: len(cluster.server.watches) > 0)
    cluster.faults.add("watches", resource="configmaps", expire=expire)
    await cluster.client("test").create(config("a"))
    assert await task == [HEALTHY]


async def test_waits_on_another_cluster_do_not_share(clock: Clock) -> None:
    assert waiting(clock, "a").shared_stream_key() == waiting(clock, "b").shared_stream_key()
    assert waiting(clock, "a").shared_stream_key() != waiting(clock, "a", cluster="other").shared_stream_key()


async def test_cancelling_a_wait_ends_it_at_once_and_leaves_the_others(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    stays, goes = triggerer.start(waiting(clock, "a")), triggerer.start(waiting(clock, "a"))
    await listed(cluster)
    goes.cancel()
    with pytest.raises(asyncio.CancelledError):
        await goes
    await cluster.client("test").create(config("a"))
    assert await stays == [HEALTHY]


async def test_the_last_one_out_ends_the_stream_and_the_next_one_opens_it_again(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    await cluster.client("test").create(config("a"))
    for _ in range(3):
        assert await triggerer.start(waiting(clock, "a")) == [HEALTHY]
    assert not triggerer.manager._groups
    assert requests(cluster, "list") == 1  # the hub kept what it knew


async def test_alone_it_does_the_same(cluster: Cluster, clock: Clock) -> None:
    await cluster.client("test").create(config("a"))
    events = [event.payload async for event in waiting(clock, "a").run()]
    assert events == [HEALTHY]


async def test_what_is_broken_for_good_ends_the_wait_before_its_deadline(
    cluster: Cluster, triggerer: Triggerer, clock: Clock
) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": "shop"},
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
    }
    trigger = HealthTrigger(
        cluster="default", deadline=clock.after(60), references=[reference("migrate", "Job", "batch")]
    )
    event = trigger.judge({reference("migrate", "Job", "batch"): job})
    assert event is not None
    assert event["status"] == "degraded"
    with pytest.raises(errors.Degraded, match="Job/shop/migrate"):
        raise_unless_healthy(event, what="istio")


async def test_the_heartbeat_goes_on_while_the_cluster_is_down(cluster: Cluster, clock: Clock) -> None:
    cluster.faults.add("reset")
    async with hub_of("default").following([reference("a")]):
        stream = wakeups("default")
        numbers = [await anext(stream) for _ in range(5)]
        await stream.aclose()
    assert numbers == sorted(numbers)


def test_its_serialised_form_makes_the_same_trigger_and_holds_no_secret(clock: Clock) -> None:
    made = HealthTrigger.within(timedelta(minutes=5), cluster="default", references=[reference("a"), reference("b")])
    path, kwargs = made.serialize()
    assert path == "meshflow.triggers.health.HealthTrigger"
    again = HealthTrigger(**json.loads(json.dumps(kwargs)))
    assert (again.references, again.deadline, again.cluster) == (made.references, made.deadline, made.cluster)
    assert set(kwargs) == {"cluster", "deadline", "references"}


def test_a_sentence_about_hundreds_names_some_and_counts_the_others() -> None:
    event = {"status": "expired", "waiting": [f"ConfigMap/x/{number}: does not exist" for number in range(300)]}
    with pytest.raises(errors.WaitExpired, match=r"x/19: does not exist; and 280 more\. Nothing was undone") as failure:
        raise_unless_healthy({**event, "broken": []}, what="istio")
    assert len(failure.value.waiting_for) == 300
