"""Plan, apply and wait while things go wrong in the cluster."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, nullcontext
from typing import Any

import pytest
from kubernetes_asyncio import config

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.clients.watch import WatchHub
from meshflow.engine import applier, explaining, inventory, planner, waiting
from meshflow.objects.parsing import Desired
from meshflow.plan.stages import Stage, stages
from tests.conftest import Sandbox
from tests.engine.test_engine_apply import config as config_map
from tests.engine.test_engine_apply import declared, deployment, plan_and_apply, service

Obj = dict[str, Any]


@pytest.fixture
async def hasty(sandbox: Sandbox) -> AsyncIterator[Kube]:
    """A client whose pauses between attempts take no time."""
    async with await config.new_client_from_config(str(sandbox.kubeconfig)) as client:
        yield Kube(client, cluster="sandbox", sleep=lambda seconds: asyncio.sleep(0))


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[Any]:
    """Make something go wrong; everything is right again after the test."""
    made: list[int] = []

    def fault(kind: str, **settings: Any) -> None:
        made.append(sandbox.ask("POST", "faults", {"kind": kind, **settings})["id"])

    yield fault
    for number in made:
        sandbox.ask("DELETE", "faults", {"id": number})


def many(namespace: str) -> list[Desired]:
    return declared(*(config_map(namespace, f"c{number}", x="1") for number in range(20)), service(namespace))


async def settled(stage: Stage) -> None:
    """Nobody waits."""


@pytest.mark.parametrize(
    "fault",
    [{"kind": "error", "code": 429}, {"kind": "error", "code": 503}, {"kind": "reset"}],
    ids=["429", "503", "reset"],
)
async def test_an_apply_gets_through_a_cluster_in_trouble(hasty: Kube, namespace: str, faults: Any, fault: Obj) -> None:
    options = {name: value for name, value in fault.items() if name != "kind"}
    faults(fault["kind"], namespace=namespace, rate=0.3, **options)
    desired = many(namespace)
    await plan_and_apply(hasty, desired, namespace)
    plan = await planner.plan(hasty, desired, set_name=namespace)
    assert plan.counts()["unchanged"] == len(desired)


async def test_a_dry_run_that_gets_no_answer_is_unknown_and_not_unchanged(
    hasty: Kube, namespace: str, faults: Any
) -> None:
    await plan_and_apply(hasty, declared(config_map(namespace, "a", x="1")), namespace)
    faults("error", namespace=namespace, verb="patch", code=503)
    plan = await planner.plan(hasty, declared(config_map(namespace, "a", x="2")), set_name=namespace)
    (entry,) = plan.entries
    assert entry.action.value == "unknown"
    assert "HTTP 503" in entry.message
    with pytest.raises(errors.Temporary, match="cannot be compared now"):
        applier.check(declared(config_map(namespace, "a", x="2")), plan)


async def test_a_cluster_that_does_not_list_fails_the_plan_as_temporary(
    hasty: Kube, namespace: str, faults: Any
) -> None:
    faults("error", namespace=namespace, verb="list", code=503)
    with pytest.raises(errors.ServerBusy):
        await planner.plan(hasty, many(namespace), set_name=namespace)


@pytest.mark.parametrize("seed", range(3))
async def test_an_apply_that_is_killed_anywhere_is_finished_by_the_next(hasty: Kube, namespace: str, seed: int) -> None:
    """As when a worker dies: what exists is always named by the inventory, and running again ends the same way."""
    desired = many(namespace)
    plan = await planner.plan(hasty, desired, set_name=namespace)
    running = asyncio.create_task(applier.run(hasty, desired, plan, settled=settled))
    target = hasty.requests["apply"] + random.Random(seed).randint(1, len(desired))
    while hasty.requests["apply"] < target and not running.done():  # noqa: ASYNC110 - a counter rings no bell
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    known = (await inventory.read(hasty, namespace)).references
    live = await hasty.list((await hasty.kinds()).of("v1", "ConfigMap"), namespace=namespace)
    written = {obj["metadata"]["name"] for obj in live.items if obj["metadata"]["name"].startswith("c")}
    assert written <= {reference.name for reference in known}

    await plan_and_apply(hasty, desired, namespace)
    plan = await planner.plan(hasty, desired, set_name=namespace)
    assert plan.counts()["unchanged"] == len(desired)


@pytest.mark.parametrize("expire", [False, True], ids=["dropped", "expired"])
async def test_waiting_survives_watches_that_end(hasty: Kube, namespace: str, faults: Any, expire: bool) -> None:
    faults("pods", namespace=namespace, changes={"ready": 8})  # 0.4 s at the sandbox's speed
    desired = declared(deployment(namespace))
    plan = await planner.plan(hasty, desired, set_name=namespace)
    await applier.begin(hasty, desired, plan)
    for stage in stages(desired):
        await applier.apply(hasty, desired, plan, stage=stage)
    wait = asyncio.create_task(waiting.for_health(hasty, [item.reference for item in desired], seconds=20))
    while not hasty.requests["watch"]:  # noqa: ASYNC110 - a counter rings no bell
        await asyncio.sleep(0.005)
    await asyncio.to_thread(faults, "watches", namespace=namespace, expire=expire)
    assert (await wait).done


async def test_a_wait_that_ends_in_vain_says_what_it_waited_for(hasty: Kube, namespace: str, faults: Any) -> None:
    faults("pods", namespace=namespace, changes={"never_ready": True})
    desired = declared(deployment(namespace))
    await plan_and_apply(hasty, desired, namespace)
    summary = await waiting.for_health(hasty, [item.reference for item in desired], seconds=0.5)
    assert not summary.done
    (line,) = summary.waiting
    assert line.startswith(f"Deployment/{namespace}/web: 0 of 2 replicas ready")


async def test_the_end_of_a_wait_in_vain_says_what_the_pods_say(hasty: Kube, namespace: str, faults: Any) -> None:
    faults("pods", namespace=namespace, changes={"pull_error": "no such tag"})
    desired = declared(deployment(namespace))
    await plan_and_apply(hasty, desired, namespace)
    references = [item.reference for item in desired]
    await waiting.for_health(hasty, references, seconds=1)
    (told,) = (await explaining.explain(hasty, references)).values()
    assert re.match(r"pod web-\S+: container main: \w*Image\w*.*\(and 1 more pods\)", told)


async def test_followers_of_many_objects_share_one_watch_per_kind(hasty: Kube, namespace: str) -> None:
    desired = declared(*(config_map(namespace, f"c{number}", x="1") for number in range(30)), service(namespace))
    await plan_and_apply(hasty, desired, namespace)
    hasty.requests.clear()
    hub = WatchHub(lambda: nullcontext(hasty))

    async def first(item: Desired) -> str:
        async with aclosing(hub.follow([item.reference])) as observations:
            async for observation in observations:
                return str(observation.obj and observation.obj["metadata"]["name"])
        raise AssertionError("a follower never ends by itself")

    async with asyncio.timeout(20):
        names = await asyncio.gather(*(first(item) for item in desired))
    await hub.close()
    assert names == [item.reference.name for item in desired]
    assert hasty.requests["list"] == 2
    assert hasty.requests["watch"] <= 2
