"""Blue/green without Flagger against a cluster: readiness, then the switch, and nobody takes it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshflow.clients.kube import Kube
from meshflow.engine import applier, blue_green, planner, waiting
from meshflow.engine.planner import SetRules
from meshflow.errors import InvalidInput
from meshflow.mesh.blue_green import active
from meshflow.objects.parsing import Desired
from meshflow.release.outcome import Outcome
from tests.conftest import PATIENCE
from tests.engine.conftest import Faults
from tests.engine.examples import declared, settled, shop

OLD, NEW = (f"example.com/shop@sha256:{letter * 64}" for letter in "ab")


def manifests(namespace: str) -> tuple[Desired, ...]:
    return tuple(declared(*shop(namespace, image="example.com/shop:1")))


async def apply(kube: Kube, namespace: str, *, pinned: str | None = None) -> planner.Plan:
    """What the service's DAG does before it sets an image."""
    objects = manifests(namespace)
    two = blue_green.pair("shop", objects)
    kept = await blue_green.without_released(kube, objects, two, pinned=pinned, release_id="r0")
    plan = await planner.plan(kube, kept, SetRules(namespace))
    await applier.run(kube, kept, plan, settled=settled)
    return plan


async def release(
    kube: Kube,
    namespace: str,
    image: str,
    *,
    seconds: float = PATIENCE,
    hear: Callable[[str], None] = lambda line: None,
) -> tuple[Any, list[str]]:
    """One release from begin to finish: the decision, and what was said."""
    two, lines = blue_green.pair("shop", manifests(namespace)), list[str]()
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    begun = await blue_green.begin(kube, two, image, release_id="r1", deadline=deadline)
    if begun is None:
        return None, lines

    async def short(_: float) -> None:
        await waiting.look(kube, [two.service])  # a request takes about as long as the cluster needs to move

    def say(line: str) -> None:
        lines.append(line)
        hear(line)

    return await blue_green.finish(kube, two, begun, release_id="r1", pause=short, say=say), lines


async def test_a_release_switches_the_service_once_the_idle_colour_is_ready(
    kube: Kube, namespace: str, faults: Faults
) -> None:
    await apply(kube, namespace, pinned=OLD)
    two = blue_green.pair("shop", manifests(namespace))
    assert (await waiting.for_health(kube, [item.reference for item in two.workloads.values()], seconds=PATIENCE)).done
    faults("pods", namespace=namespace, pod="shop-green-*", changes={"never_ready": True})
    found, lines = await release(
        kube, namespace, NEW, hear=lambda line: faults.end() if "0 out of 2 new replicas" in line else None
    )
    assert found.outcome is Outcome.SUCCEEDED, lines
    assert active(await kube.get(two.service)) == "green"
    assert any("switches from blue" in line for line in lines)
    assert any("0 out of 2 new replicas are available" in line for line in lines[:-1])

    again, _ = await release(kube, namespace, NEW)
    assert again is None
    plan = await apply(kube, namespace)
    assert not plan.changed, plan.counts()
    assert active(await kube.get(two.service)) == "green"

    back, _ = await release(kube, namespace, OLD)
    assert back.outcome is Outcome.SUCCEEDED
    assert active(await kube.get(two.service)) == "blue"


async def test_an_idle_colour_that_never_gets_ready_leaves_users_where_they_were(kube: Kube, namespace: str) -> None:
    await apply(kube, namespace, pinned=OLD)
    found, lines = await release(kube, namespace, NEW, seconds=-1)
    assert found.outcome is Outcome.ROLLED_BACK, lines
    two = blue_green.pair("shop", manifests(namespace))
    assert active(await kube.get(two.service)) == "blue"


def test_manifests_that_are_no_pair_say_what_is_missing() -> None:
    for objects in (manifests("x")[:2], manifests("x")[1:], ()):
        with pytest.raises(InvalidInput, match="one Deployment for each of blue, green"):
            blue_green.pair("shop", objects)
