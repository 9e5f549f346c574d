"""Blue/green without Flagger against a cluster: readiness, then the switch, and nobody takes it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshflow.clients.kube import Kube
from meshflow.engine import applier, blue_green, planner, waiting
from meshflow.errors import InvalidInput
from meshflow.mesh.blue_green import COLOUR, active
from meshflow.objects.parsing import Desired
from meshflow.release.outcome import Outcome

Obj = dict[str, Any]
OLD, NEW = (f"example.com/shop@sha256:{letter * 64}" for letter in "ab")


def manifests(namespace: str) -> tuple[Desired, ...]:
    def deployment(colour: str) -> Obj:
        labels = {"app": "shop", COLOUR: colour}
        containers = [{"name": "app", "image": "example.com/shop:1"}]
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": f"shop-{colour}", "namespace": namespace},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            },
        }

    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"selector": {"app": "shop", COLOUR: "blue"}, "ports": [{"port": 80}]},
    }
    return tuple(Desired(obj, "shop.yaml:1") for obj in (deployment("blue"), deployment("green"), service))


async def settled(stage: Any) -> None:
    """Nobody waits in these tests."""


async def apply(kube: Kube, namespace: str, *, pinned: str | None = None) -> planner.Plan:
    """What the service's DAG does before it sets an image."""
    objects = manifests(namespace)
    two = blue_green.pair("shop", objects)
    kept = await blue_green.without_released(kube, objects, two, pinned=pinned, release_id="r0")
    plan = await planner.plan(kube, kept, set_name=namespace)
    await applier.run(kube, kept, plan, settled=settled)
    return plan


async def release(kube: Kube, namespace: str, image: str, *, seconds: float = 20) -> tuple[Any, list[str]]:
    """One release from begin to finish: the decision, and what was said."""
    two, lines = blue_green.pair("shop", manifests(namespace)), []
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    begun = await blue_green.begin(kube, two, image, release_id="r1", deadline=deadline)
    if begun is None:
        return None, lines

    async def short(_: float) -> None:
        await waiting.look(kube, [two.service])  # a request takes about as long as the cluster needs to move

    return await blue_green.finish(kube, two, begun, release_id="r1", pause=short, say=lines.append), lines


async def test_a_release_switches_the_service_once_the_idle_colour_is_ready(kube: Kube, namespace: str) -> None:
    await apply(kube, namespace, pinned=OLD)
    two = blue_green.pair("shop", manifests(namespace))
    assert (await waiting.for_health(kube, [item.reference for item in two.workloads.values()], seconds=20)).done
    found, lines = await release(kube, namespace, NEW)
    assert found.outcome is Outcome.SUCCEEDED, lines
    assert active(await kube.get(two.service)) == "green"
    assert any("switches from blue" in line for line in lines)
    assert any("new replicas are available" in line for line in lines[:-1])

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
