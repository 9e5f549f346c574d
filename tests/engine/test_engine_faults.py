"""Plan, apply and wait while things go wrong in the cluster."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import aclosing, nullcontext
from typing import Any

import pytest

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.clients.watch import WatchHub
from meshflow.engine import applier, explaining, inventory, planner, waiting
from meshflow.engine.planner import SetRules
from meshflow.objects.parsing import Desired
from tests.conftest import PATIENCE
from tests.engine.conftest import Faults
from tests.engine.examples import config as config_map
from tests.engine.examples import declared, deployment, plan_and_apply, service, settled

Obj = dict[str, Any]


def many(namespace: str) -> list[Desired]:
    return declared(*(config_map(namespace, f"c{number}", x="1") for number in range(20)), service(namespace))


@pytest.mark.parametrize(
    "fault",
    [{"kind": "error", "code": 429}, {"kind": "error", "code": 503}, {"kind": "reset"}],
    ids=["429", "503", "reset"],
)
async def test_an_apply_gets_through_a_cluster_in_trouble(
    hasty: Kube, namespace: str, faults: Faults, fault: Obj
) -> None:
    for verb in ("list", "patch"):  # the client asks five times, so no single request meets a fault too often
        faults(**fault, verb=verb, namespace=namespace, count=4)
    desired = many(namespace)
    await plan_and_apply(hasty, desired, namespace)
    plan = await planner.plan(hasty, desired, SetRules(namespace))
    assert plan.counts()["unchanged"] == len(desired)


async def test_a_dry_run_that_gets_no_answer_is_unknown_and_not_unchanged(
    hasty: Kube, namespace: str, faults: Faults
) -> None:
    await plan_and_apply(hasty, declared(config_map(namespace, "a", x="1")), namespace)
    faults("error", namespace=namespace, verb="patch", code=503)
    plan = await planner.plan(hasty, declared(config_map(namespace, "a", x="2")), SetRules(namespace))
    (entry,) = plan.entries
    assert entry.action.value == "unknown"
    assert "HTTP 503" in entry.message
    with pytest.raises(errors.Temporary, match="cannot be compared now"):
        applier.check(declared(config_map(namespace, "a", x="2")), plan)


async def test_a_cluster_that_does_not_list_fails_the_plan_as_temporary(
    hasty: Kube, namespace: str, faults: Faults
) -> None:
    faults("error", namespace=namespace, verb="list", code=503)
    with pytest.raises(errors.ServerBusy):
        await planner.plan(hasty, many(namespace), SetRules(namespace))


@pytest.mark.parametrize("seed", range(3))
async def test_an_apply_that_is_killed_anywhere_is_finished_by_the_next(hasty: Kube, namespace: str, seed: int) -> None:
    """As when a worker dies: what exists is always named by the inventory, and running again ends the same way."""
    desired = many(namespace)
    plan = await planner.plan(hasty, desired, SetRules(namespace))
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
    plan = await planner.plan(hasty, desired, SetRules(namespace))
    assert plan.counts()["unchanged"] == len(desired)


@pytest.mark.parametrize("expire", [False, True], ids=["dropped", "expired"])
async def test_waiting_survives_watches_that_end(hasty: Kube, namespace: str, faults: Faults, expire: bool) -> None:
    number = faults("pods", namespace=namespace, changes={"never_ready": True})
    desired = declared(deployment(namespace))
    await plan_and_apply(hasty, desired, namespace)
    wait = asyncio.create_task(waiting.for_health(hasty, [item.reference for item in desired], seconds=PATIENCE))
    while not hasty.requests["watch"]:  # noqa: ASYNC110 - a counter rings no bell
        await asyncio.sleep(0.005)
    faults("watches", namespace=namespace, expire=expire)
    faults.end(number)
    assert (await wait).done


async def test_a_wait_that_ends_in_vain_says_what_it_waited_for(hasty: Kube, namespace: str, faults: Faults) -> None:
    faults("pods", namespace=namespace, changes={"never_ready": True})
    desired = declared(deployment(namespace))
    await plan_and_apply(hasty, desired, namespace)
    await told(hasty, desired, "0 of 2 replicas ready")
    summary = await waiting.for_health(hasty, [item.reference for item in desired], seconds=0.1)
    assert not summary.done
    (line,) = summary.waiting
    assert line.startswith(f"Deployment/{namespace}/web: 0 of 2 replicas ready")


async def told(kube: Kube, desired: list[Desired], what: str) -> None:
    """Wait until the health of an object says this."""
    async with asyncio.timeout(PATIENCE):
        while what not in str(await waiting.look(kube, [item.reference for item in desired])):
            pass  # each look is a request: others get their turn


async def test_the_end_of_a_wait_in_vain_says_what_the_pods_say(hasty: Kube, namespace: str, faults: Faults) -> None:
    faults("pods", namespace=namespace, changes={"pull_error": "no such tag"})
    desired = declared(deployment(namespace))
    await plan_and_apply(hasty, desired, namespace)
    references, complaint = [item.reference for item in desired], ""
    async with asyncio.timeout(PATIENCE):
        while not re.match(r"pod web-\S+: container main: \w*Image\w*.*\(and 1 more pods\)", complaint):
            complaint = "".join((await explaining.explain(hasty, references)).values())


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

    async with asyncio.timeout(PATIENCE):
        names = await asyncio.gather(*(first(item) for item in desired))
    await hub.close()
    assert names == [item.reference.name for item in desired]
    assert hasty.requests["list"] == 2
    assert hasty.requests["watch"] <= 2
