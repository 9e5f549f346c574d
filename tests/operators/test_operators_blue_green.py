"""A service of two Deployments without Flagger, released task by task: the idle colour first, then the switch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from meshflow import errors
from meshflow.mesh.blue_green import COLOUR
from meshflow.objects.reference import Reference
from meshflow.operators.apply import Apply
from meshflow.operators.drift import Detect
from meshflow.operators.plan import PlanTask
from meshflow.operators.record import Record
from meshflow.operators.render import Render
from meshflow.operators.rollout import AcceptRequest, Follow, SetImage
from meshflow.release.record import read
from meshflow.triggers.health import HealthTrigger
from tests.engine import examples
from tests.operators.harness import Run, World

REPOSITORY = "ghcr.io/acme/shop"
COLOURS = ("blue", "green")


@pytest.fixture
def shop(world: World) -> Iterator[World]:
    """A service `shop` as a blue/green pair whose manifests start from tag 1."""
    push(world, "1")
    world.phases["istio"] = {"sources": []}
    declare(world)
    yield world
    world.cluster.control("DELETE", "faults")


def declare(world: World, *, patience: int = 2400) -> None:
    """`patience` is how long a colour may make no progress, in seconds of the sandbox."""
    world.service("shop", examples.shop(world.namespace, image=f"{REPOSITORY}:1", patience=patience))


def push(world: World, tag: str) -> str:
    """Push a tag of the service's image; returns the image by digest."""
    found = world.cluster.control("POST", "push", {"image": f"{REPOSITORY}:{tag}"})
    return f"{REPOSITORY}@{found['digest']}"


def write(run: Run) -> Any:
    """The tasks of the rollout DAG up to the release; returns what the release left for the task that follows."""
    run.execute(AcceptRequest(task_id="request", service="shop", cluster="default"))
    run.execute(Render(task_id="render", bundles=["service-shop"], cluster="default"))
    run.execute(PlanTask(task_id="plan", request_task="request", cluster="default"))
    run.execute(Apply(task_id="apply", bundle="service-shop", request_task="request", wait=False, cluster="default"))
    return run.execute(SetImage(task_id="release", service="shop", cluster="default"))


def follow(run: Run) -> Any:
    return run.execute(Follow(task_id="follow", service="shop", cluster="default"))


def rollout(run: Run) -> Any:
    write(run)
    return follow(run)


def serving(world: World) -> str:
    """The colour that the Service selects."""
    found = world.live("services", "shop")
    assert found
    return str(found["spec"]["selector"][COLOUR])


def image(world: World, colour: str) -> str:
    live = world.live("apps/v1/deployments", f"shop-{colour}")
    assert live
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_first_installation_starts_from_the_image_of_the_colour_that_serves(shop: World) -> None:
    objects = examples.shop(shop.namespace, image=f"{REPOSITORY}:1")
    for item in objects:
        if item["kind"] == "Service":
            item["spec"]["selector"][COLOUR] = "green"
        elif item["metadata"]["name"] == "shop-green":
            item["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:2"
    shop.service("shop", objects)
    pinned, run = push(shop, "2"), Run("first")
    assert run.execute(AcceptRequest(task_id="request", service="shop", cluster="default"))["pinned"] == pinned


def test_a_first_installation_starts_both_colours_from_the_digest(shop: World) -> None:
    assert rollout(Run("first"))["outcome"] == "succeeded"
    assert serving(shop) == "blue"
    assert {image(shop, colour) for colour in COLOURS} == {push(shop, "1")}


def test_the_service_switches_once_the_idle_colour_is_ready(shop: World) -> None:
    rollout(Run("first"))
    old, new, run = push(shop, "1"), push(shop, "2"), Run("second", image="2")
    write(run)
    assert (serving(shop), image(shop, "blue"), image(shop, "green")) == ("blue", old, new)
    decision = follow(run)
    assert decision["outcome"] == "succeeded"
    assert decision["message"] == "green serves with 2 pods"
    told = [step["message"] for step in decision["timeline"]]
    assert told[-2:] == ["green is ready: the Service switches from blue", "green serves with 2 pods"]
    assert (serving(shop), image(shop, "blue"), image(shop, "green")) == ("green", old, new)

    back = Run("third", image="1")  # blue runs it already, yet does not serve
    assert rollout(back)["outcome"] == "succeeded"
    assert (serving(shop), image(shop, "green")) == ("blue", new)


def test_a_colour_that_never_gets_ready_leaves_users_where_they_were(shop: World) -> None:
    rollout(Run("first"))
    declare(shop, patience=20)
    old, bad = push(shop, "1"), push(shop, "bad")
    fault = {"kind": "pods", "namespace": shop.namespace, "pod": "shop-green-*", "changes": {"never_ready": True}}
    shop.cluster.control("POST", "faults", fault)
    run = Run("second", image="bad")
    write(run)
    with pytest.raises(errors.Permanent, match=r"rolled_back: green: .*blue serves as before; pod shop-green-"):
        follow(run)
    assert run.xcoms["follow", "outcome"]["outcome"] == "rolled_back"
    assert (serving(shop), image(shop, "blue"), image(shop, "green")) == ("blue", old, bad)

    run.execute(Record(task_id="record", chain="service-shop", outcome="follow", cluster="default"))
    (record,) = read(shop.home / "records/service-shop")
    assert record["document"]["outcome"]["outcome"] == "rolled_back"

    shop.cluster.control("DELETE", "faults")
    declare(shop)
    push(shop, "mended")
    assert rollout(Run("third", image="mended"))["outcome"] == "succeeded"
    assert serving(shop) == "green"


def test_what_serves_already_is_not_released_again(shop: World) -> None:
    rollout(Run("first"))
    before, run = shop.writes(), Run("second", image="1")
    assert write(run) is None
    assert shop.writes() == before
    assert follow(run)["outcome"] == "skipped"


def test_without_an_image_the_manifests_alone_are_applied(shop: World) -> None:
    rollout(Run("first"))
    run = Run("second")
    assert write(run) is None
    assert run.xcoms["request", "return_value"]["pinned"] is None


def test_a_repeated_task_goes_on_where_the_cluster_is(shop: World) -> None:
    rollout(Run("first"))
    push(shop, "2")
    run = Run("second", image="2")
    write(run)
    run.execute(SetImage(task_id="release", service="shop", cluster="default"))
    assert follow(run)["outcome"] == "succeeded"
    assert follow(run)["outcome"] == "succeeded"  # the task again, after the switch
    assert serving(shop) == "green"


def test_neither_a_drift_check_nor_the_manifests_take_a_switch_back(shop: World) -> None:
    rollout(Run("first"))
    push(shop, "2")
    rollout(Run("second", image="2"))
    check = Run("check")
    check.execute(Render(task_id="render", bundles=["service-shop"], cluster="default"))
    assert check.execute(Detect(task_id="detect", cluster="default"))["drift"] == []
    rollout(Run("third"))
    assert serving(shop) == "green"


def test_a_cluster_that_could_not_be_asked_is_an_unknown_end_and_no_failure_of_the_image(shop: World) -> None:
    rollout(Run("first"))
    push(shop, "2")
    run, task = Run("second", image="2"), Follow(task_id="follow", service="shop", cluster="default")
    write(run)
    green = Reference("apps", "Deployment", shop.namespace, "shop-green")
    blind = HealthTrigger.within(timedelta(), cluster="default", references=[green]).blind("connection refused")
    with pytest.raises(errors.WaitExpired, match="an answer of the cluster \\(connection refused\\)"):
        task.resume(run.context(task), blind)
    assert run.xcoms["follow", "outcome"]["outcome"] == "unknown"
    assert serving(shop) == "blue"
