"""When stand-ins wake up and go to sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from sandbox.clock import VirtualClock
from sandbox.network import Network, NetworkError
from sandbox.standins import base
from sandbox.standins.base import Backend, StandIn, Supervisor, Surroundings

Obj = dict[str, Any]


class Quiet:
    """A client for a supervisor whose events the test sends itself; it knows one Deployment."""

    def __init__(self) -> None:
        self.deployment: Obj | None = None

    async def get(self, *_: Any) -> Obj | None:
        return self.deployment


class Shop(StandIn):
    """A stand-in that remembers what happened to it."""

    image_names: ClassVar[tuple[str, ...]] = ("shop",)
    diary: ClassVar[list[str]] = []
    fails: ClassVar[int] = 0

    def apps(self) -> Mapping[int, Backend]:
        return {8080: Starlette()}

    async def awake(self, deployment: Obj) -> None:
        if Shop.fails:
            Shop.fails -= 1
            raise RuntimeError("not yet")
        self.diary.append(f"awake {self.name}")
        self.spawn(self._work())

    async def asleep(self) -> None:
        self.diary.append(f"asleep {self.name}")

    async def _work(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.diary.append("work ended")


def deployment(*, image: str = "example.org/shop:1", available: int = 1) -> Obj:
    containers = [{"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": containers}}
    return {
        "metadata": {"name": "shop", "namespace": "town", "generation": 1},
        "spec": {"template": template},
        "status": {"observedGeneration": 1, "availableReplicas": available, "updatedReplicas": available},
    }


def service(name: str, *, port: int = 80, target: int | str = "http", app: str = "shop") -> Obj:
    spec = {"selector": {"app": app}, "ports": [{"port": port, "targetPort": target}]}
    return {"metadata": {"name": name, "namespace": "town"}, "spec": spec}


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


@pytest.fixture
def supervisor(quiet: Quiet) -> Supervisor:
    Shop.diary.clear()
    Shop.fails = 0
    around = Surroundings(lambda manager: quiet, Network(), VirtualClock())  # type: ignore[arg-type, return-value]
    return Supervisor(around, kinds=[Shop])


async def answers(supervisor: Supervisor, url: str) -> bool:
    try:
        await supervisor.around.network.request("GET", url)
    except NetworkError:
        return False
    return True


async def test_it_wakes_when_its_deployment_is_available(supervisor: Supervisor) -> None:
    """Not before, and once."""
    await supervisor.on_deployment("ADDED", deployment(available=0))
    assert Shop.diary == []
    for _ in range(2):
        await supervisor.on_deployment("MODIFIED", deployment())
    assert Shop.diary == ["awake shop"]


@pytest.mark.parametrize(
    ("change", "seen"),
    [("DELETED", deployment()), ("MODIFIED", deployment(available=0)), ("MODIFIED", deployment(image="x"))],
)
async def test_it_sleeps_when_the_deployment_goes(supervisor: Supervisor, change: str, seen: Obj) -> None:
    """Deleted, not available, or running something else: what it had started ends first."""
    await supervisor.on_deployment("ADDED", deployment())
    await asyncio.sleep(0)
    await supervisor.on_deployment(change, seen)
    assert Shop.diary == ["awake shop", "work ended", "asleep shop"]
    assert supervisor.running == {}


async def test_a_new_template_starts_it_anew(supervisor: Supervisor) -> None:
    """Once it is rolled out; while it rolls, the old one answers."""
    await supervisor.on_deployment("ADDED", deployment())
    await asyncio.sleep(0)
    rolling = deployment(image="example.org/shop:2")
    rolling["metadata"]["generation"] = 2
    await supervisor.on_deployment("MODIFIED", rolling)
    assert Shop.diary == ["awake shop"]
    rolling["status"]["observedGeneration"] = 2
    await supervisor.on_deployment("MODIFIED", rolling)
    assert Shop.diary == ["awake shop", "work ended", "asleep shop", "awake shop"]


async def test_it_answers_behind_every_service_that_selects_it(supervisor: Supervisor) -> None:
    """By number and by name of the port, whichever of the two came first, and no longer when the Service goes."""
    await supervisor.on_service("ADDED", service("first"))
    await supervisor.on_deployment("ADDED", deployment())
    await supervisor.on_service("ADDED", service("second", port=8000, target=8080))
    await supervisor.on_service("ADDED", service("other", app="bakery"))
    assert await answers(supervisor, "http://first.town/")
    assert await answers(supervisor, "http://second.town:8000/")
    assert not await answers(supervisor, "http://other.town/")
    await supervisor.on_service("DELETED", service("first"))
    assert not await answers(supervisor, "http://first.town/")
    await supervisor.on_deployment("DELETED", deployment())
    assert not await answers(supervisor, "http://second.town:8000/")


async def test_a_failed_start_is_tried_again(supervisor: Supervisor, quiet: Quiet) -> None:
    """A second later, with the Deployment as it is then."""
    Shop.fails = 1
    quiet.deployment = deployment()
    await supervisor.on_deployment("ADDED", deployment())
    assert Shop.diary == ["asleep shop"]
    clock = supervisor.around.clock
    assert isinstance(clock, VirtualClock)
    await clock.advance(base.RETRY_AFTER)
    assert Shop.diary == ["asleep shop", "awake shop"]


@pytest.mark.parametrize(
    ("image", "name", "tag"),
    [
        ("registry.istio.io/release/pilot:1.30.3", "pilot", "1.30.3"),
        ("localhost:5000/kiali@sha256:00", "kiali", ""),
        ("grafana", "grafana", ""),
    ],
)
def test_programs_are_known_by_the_last_part_of_their_image(image: str, name: str, tag: str) -> None:
    """Whatever the registry, tag and digest."""
    assert (base.image_name(image), base.image_tag(image)) == (name, tag)
