"""The OCI registry and its notifications."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import oci, registry
from sandbox.clock import VirtualClock
from sandbox.notifications import MEDIA_TYPE, Subscriber
from sandbox.registry import Registry
from sandbox.serving import Listener
from sandbox.traffic import Traffic

Obj = dict[str, Any]
PODINFO = "ghcr.io/stefanprodan/podinfo"


@pytest.fixture
def images() -> Registry:
    clock = VirtualClock()
    return Registry(clock, traffic=Traffic(clock))


@pytest.fixture
def client(images: Registry) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(images.app), base_url="http://registry")


async def test_a_tag_leads_to_an_index_and_on_to_manifests(images: Registry, client: httpx.AsyncClient) -> None:
    """HEAD and GET, by tag and by digest, for all platforms."""
    digest = images.push(f"{PODINFO}:1.0.0")
    head = await client.head("/v2/stefanprodan/podinfo/manifests/1.0.0")
    assert head.headers["docker-content-digest"] == digest
    assert head.headers["content-type"] == oci.INDEX
    index = (await client.get(f"/v2/stefanprodan/podinfo/manifests/{digest}")).json()
    assert [m["platform"]["architecture"] for m in index["manifests"]] == ["amd64", "arm64"]
    manifest = (await client.get(f"/v2/stefanprodan/podinfo/manifests/{index['manifests'][0]['digest']}")).json()
    layer = await client.get(f"/v2/stefanprodan/podinfo/blobs/{manifest['layers'][0]['digest']}")
    assert layer.status_code == 200
    assert len(layer.content) == manifest["layers"][0]["size"]


async def test_the_example_images_are_there(client: httpx.AsyncClient) -> None:
    """Without any push, under their paths without a host."""
    for image in registry.SEEDS:
        name = oci.Name.parse(image)
        assert (await client.head(f"/v2/{name.repository}/manifests/{name.tag}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/stefanprodan/podinfo/manifests/nope", "MANIFEST_UNKNOWN"),
        ("/v2/nobody/nothing/manifests/latest", "NAME_UNKNOWN"),
        ("/v2/nobody/nothing/tags/list", "NAME_UNKNOWN"),
        ("/v2/stefanprodan/podinfo/blobs/sha256:0", "BLOB_UNKNOWN"),
    ],
)
async def test_what_is_unknown_is_404_with_its_code(client: httpx.AsyncClient, path: str, code: str) -> None:
    """In the words of the distribution API."""
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == code


def test_digests_follow_from_the_name_alone() -> None:
    """The same push gives the same digest in another sandbox; another tag another one."""
    first, second = Registry(VirtualClock()), Registry(VirtualClock())
    assert first.push(f"{PODINFO}:1.0.0") == second.push(f"{PODINFO}:1.0.0") != first.push(f"{PODINFO}:1.0.1")


def test_a_push_says_how_the_image_behaves(images: Registry) -> None:
    """By tag, and by the digest that a release is rolled out with."""
    digest = images.push(f"{PODINFO}:bad", error_rate=0.2, latency_p99=900)
    assert images.traffic is not None
    for image in (f"{PODINFO}:bad", f"{PODINFO}@{digest}"):
        behaviour = images.traffic.behaviour(image)
        assert (behaviour.error_rate, behaviour.latency_p99) == (0.2, 900)


@pytest.mark.parametrize("image", ["podinfo", "podinfo:", ":1", "a/b@sha256:00", "host:5000/a"])
def test_a_name_without_a_tag_is_refused(image: str) -> None:
    """With a sentence about the form."""
    with pytest.raises(oci.BadName, match="HOST/REPOSITORY:TAG"):
        oci.Name.parse(image)


class Ear:
    """A subscriber that answers `answers` one after the other, then 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.heard: list[tuple[dict[str, str], Obj]] = []
        self.listener = Listener(Starlette(routes=[Route("/hook", self._hear, methods=["POST"])]))

    async def _hear(self, request: Request) -> Response:
        self.heard.append((dict(request.headers), await request.json()))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear = Ear()
    await ear.listener.start()
    yield ear
    await ear.listener.stop()


async def test_a_push_is_told_in_the_distribution_format(images: Registry, ear: Ear) -> None:
    """One event for each manifest, the index with its tag last, with the subscriber's headers."""
    images.notifier.subscribe(Subscriber(f"{ear.listener.url}/hook", {"Authorization": "Bearer secret"}))
    digest = images.push(f"{PODINFO}:2.0.0")
    await images.notifier.settle()
    headers, envelope = ear.heard[0]
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == MEDIA_TYPE
    assert [event["action"] for event in envelope["events"]] == ["push"] * 3
    target = envelope["events"][-1]["target"]
    assert (target["repository"], target["tag"], target["digest"]) == ("stefanprodan/podinfo", "2.0.0", digest)
    assert "tag" not in envelope["events"][0]["target"]


async def test_a_failed_delivery_is_tried_again(ear: Ear) -> None:
    """Later each time, until it is answered with success; the history says how often."""
    clock = VirtualClock()
    images = Registry(clock)
    ear.answers = [500, 503]
    images.notifier.subscribe(Subscriber(f"{ear.listener.url}/hook"))
    images.push(f"{PODINFO}:2.0.0")
    while len(ear.heard) < 3:
        await asyncio.sleep(0.001)  # real: the answers come over a real connection
        await clock.advance(1)
    await images.notifier.settle()
    assert images.notifier.history == [{"url": f"{ear.listener.url}/hook", "attempts": 3, "status": 200}]


async def test_nobody_is_told_after_unsubscribing(images: Registry, ear: Ear) -> None:
    """One URL, or all."""
    images.notifier.subscribe(Subscriber(f"{ear.listener.url}/hook"))
    images.notifier.unsubscribe(None)
    images.push(f"{PODINFO}:2.0.0")
    await images.notifier.settle()
    assert ear.heard == []


@pytest.mark.parametrize(("given", "wanted"), [("900ms", 900.0), ("1.5s", 1500.0), ("25", 25.0)])
def test_latencies_are_milliseconds(given: str, wanted: float) -> None:
    """On the command line with or without a unit."""
    assert registry.milliseconds(given) == wanted
