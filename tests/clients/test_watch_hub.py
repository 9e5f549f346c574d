"""One watch for many waiters, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any

import pytest
from kubernetes_asyncio.client import ApiClient, Configuration

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.clients.watch import View, WatchHub
from meshflow.objects.reference import Reference
from tests.clients.fake_api import FakeApi, listing, ok, reset, running, status, watch
from tests.conftest import PATIENCE

Obj = dict[str, Any]
PATH = "/api/v1/namespaces/shop/pods"
A, B = Reference("", "Pod", "shop", "a"), Reference("", "Pod", "shop", "b")
GONE = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"}


def pod(name: str, version: str) -> Obj:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": version}}


def event(kind: str, name: str, version: str) -> Obj:
    return {"type": kind, "object": pod(name, version)}


class Scene:
    """A fake API, a hub on it, and a clock that stands still."""

    def __init__(self, api: FakeApi, kube: Kube) -> None:
        self.api, self.kube = api, kube
        self.now = 0.0
        self.opened = 0
        self.hub = WatchHub(self.open, sleep=self.sleep, clock=lambda: self.now, jitter=lambda: 0.5, linger=0)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Kube]:
        self.opened += 1
        yield self.kube

    async def sleep(self, seconds: float) -> None:
        self.api.slept.append(seconds)
        await asyncio.sleep(0.001 if seconds else 0)  # real, but next to nothing: others get their turn

    def count(self, what: str) -> int:
        return self.kube.requests[what]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running() as (api, kube):
        made = Scene(api, kube)
        yield made
        await made.hub.close()


async def versions(scene: Scene, reference: Reference, count: int) -> list[str | None]:
    """The first versions of an object that a follower sees; None for missing."""
    seen: list[str | None] = []
    async with asyncio.timeout(PATIENCE), aclosing(scene.hub.follow([reference])) as observations:
        async for observation in observations:
            seen.append(observation.obj["metadata"]["resourceVersion"] if observation.obj else None)
            if len(seen) == count:
                break
    return seen


async def until(scene: Scene, reference: Reference, version: str) -> None:
    """Follow an object until it has that version."""
    async with asyncio.timeout(PATIENCE), aclosing(scene.hub.follow([reference])) as observations:
        async for observation in observations:
            if observation.obj and observation.obj["metadata"]["resourceVersion"] == version:
                return


async def turns(condition: Callable[[], bool]) -> None:
    """Give others their turn until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for belongs to others, who ring no bell
            await asyncio.sleep(0.001)


def script(api: FakeApi, lists: list[Any], watches: list[Any]) -> None:
    """Lists and watches of the pods share a path: a request with `watch` takes the next watch."""

    async def answer(request: Any) -> Any:
        queue = watches if request.query.get("watch") else lists
        chosen = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(chosen):
            return await chosen(request)
        from aiohttp import web

        return web.Response(status=chosen.status, body=chosen.body, headers=chosen.headers)

    api.on("GET", PATH, answer)


async def test_a_hundred_followers_cost_one_list_and_one_watch(scene: Scene) -> None:
    hang = asyncio.Event()
    script(scene.api, [listing(pod("a", "1"))], [watch(hang=hang)])
    found = await asyncio.gather(*(versions(scene, A, 1) for _ in range(100)))
    assert found == [["1"]] * 100
    assert (scene.count("list"), scene.opened) == (1, 1)
    assert scene.count("watch") <= 1
    hang.set()


async def test_a_follower_sees_the_present_state_then_each_change(scene: Scene) -> None:
    hang = asyncio.Event()
    first_seen = asyncio.Event()

    async def later(request: Any) -> Any:
        await first_seen.wait()
        return await watch(event("MODIFIED", "a", "2"), event("DELETED", "a", "3"), hang=hang)(request)

    script(scene.api, [listing(pod("a", "1"))], [later])
    seen: list[str | None] = []
    async with asyncio.timeout(PATIENCE), aclosing(scene.hub.follow([A, B])) as observations:
        async for observation in observations:
            if observation.reference == A:
                seen.append(observation.obj["metadata"]["resourceVersion"] if observation.obj else None)
                first_seen.set()
            if seen[-1:] == [None]:
                break
    assert seen[0] == "1"
    assert seen[-1] is None
    hang.set()


async def test_a_late_joiner_sees_what_is_there_without_a_request(scene: Scene) -> None:
    hang = asyncio.Event()
    script(scene.api, [listing(pod("a", "1"))], [watch(event("MODIFIED", "a", "2"), hang=hang)])
    async with scene.hub.following([A]):
        await versions(scene, A, 1)
        async with scene.hub.following([A, B]) as late:
            current = late.current()
            assert current is not None
            assert current[A] is not None
            assert current[B] is None
    assert scene.count("list") == 1
    hang.set()


async def test_an_expired_watch_lists_again(scene: Scene) -> None:
    hang = asyncio.Event()
    expired = watch({"type": "ERROR", "object": GONE})
    script(scene.api, [listing(pod("a", "1")), listing(pod("a", "8"))], [expired, watch(hang=hang)])
    async with scene.hub.following([A]):
        await until(scene, A, "8")
    assert scene.count("list") == 2
    hang.set()


async def test_a_watch_that_the_server_ends_goes_on_where_it_was(scene: Scene) -> None:
    hang = asyncio.Event()
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}
    script(
        scene.api,
        [listing(pod("a", "1"), version="40")],
        [watch(bookmark), watch(event("MODIFIED", "a", "51"), hang=hang)],
    )
    async with scene.hub.following([A]):
        await until(scene, A, "51")
    asked = [one.query["resourceVersion"] for one in scene.api.asked if "watch" in one.query]
    assert asked == ["40", "50"]
    assert scene.count("list") == 1
    hang.set()


async def test_a_broken_connection_is_survived_and_told_as_trouble(scene: Scene) -> None:
    hang = asyncio.Event()
    broken = watch(event("MODIFIED", "a", "2"), broken=True)
    script(scene.api, [listing(pod("a", "1")), listing(pod("a", "3"))], [broken, watch(hang=hang)])
    async with scene.hub.following([A]) as view:
        await until(scene, A, "3")
        assert view.trouble is None
    assert scene.count("list") == 2
    hang.set()


async def test_a_refusal_is_shown_to_followers_and_tried_again_with_a_new_client(scene: Scene) -> None:
    hang = asyncio.Event()
    script(scene.api, [status(401, "Unauthorized"), listing(pod("a", "1"))], [watch(hang=hang)])
    async with scene.hub.following([A]) as view:
        troubles = []
        number = -1
        async with asyncio.timeout(PATIENCE):
            while view.current() is None:
                number = await scene.hub.changed(number)
                troubles.append(view.trouble)
    assert any(isinstance(trouble, errors.Unauthorized) for trouble in troubles)
    assert scene.opened == 2
    hang.set()


async def test_a_kind_that_is_not_installed_has_no_objects_until_it_is(scene: Scene) -> None:
    hang = asyncio.Event()
    script(scene.api, [status(404, "NotFound"), listing(pod("a", "1"))], [watch(hang=hang)])
    assert await versions(scene, A, 2) == [None, "1"]
    hang.set()


async def test_it_is_listed_anew_when_it_is_time_to_resync(scene: Scene) -> None:
    """Should a watch ever miss an event, the next resync brings it."""
    hang = asyncio.Event()

    async def time_passes(request: Any) -> Any:
        scene.now += 1000
        return await watch()(request)

    script(scene.api, [listing(pod("a", "1")), listing(pod("a", "2"))], [time_passes, watch(hang=hang)])
    async with scene.hub.following([A]):
        await until(scene, A, "2")
    assert scene.count("list") == 2
    hang.set()


async def test_a_follower_that_fails_ends_nobody_elses_watch(scene: Scene) -> None:
    hang = asyncio.Event()
    script(scene.api, [listing(pod("a", "1"))], [watch(hang=hang)])

    async def failing() -> None:
        async with scene.hub.following([A]):
            raise RuntimeError("a subscriber's bug")

    async with scene.hub.following([A]):
        assert await versions(scene, A, 1) == ["1"]
        with pytest.raises(RuntimeError):
            await failing()
        assert await versions(scene, A, 1) == ["1"]
    assert scene.count("list") == 1
    hang.set()


async def test_without_followers_the_watch_ends(scene: Scene) -> None:
    hang = asyncio.Event()
    script(scene.api, [listing(pod("a", "1"))], [watch(hang=hang)])
    await versions(scene, A, 1)
    await turns(lambda: not scene.hub._scopes)
    assert await versions(scene, A, 1) == ["1"]
    assert scene.count("list") == 2
    hang.set()


async def test_without_followers_the_client_is_closed_and_the_next_one_opens_another(scene: Scene) -> None:
    """Somebody may have pointed the connection to another cluster: the old one must not be watched for ever."""
    hang = asyncio.Event()
    script(scene.api, [listing(pod("a", "1"))], [watch(hang=hang)])
    await versions(scene, A, 1)
    await turns(lambda: scene.hub._client is None)
    await versions(scene, A, 1)
    assert scene.opened == 2
    hang.set()


@pytest.mark.parametrize(
    "answer",
    [watch({"type": "ERROR", "object": GONE}), status(403, "Forbidden", 'User "u" cannot watch resource "pods"')],
    ids=["always expired", "may list and not watch"],
)
async def test_a_server_that_answers_lists_and_no_watch_is_asked_less_and_less(scene: Scene, answer: Any) -> None:
    """Each list worked, so each failure looked like the first: one list a second, for ever."""
    script(scene.api, [listing(pod("a", "1"))], [answer])
    async with scene.hub.following([A]):
        await turns(lambda: len(scene.api.slept) >= 6)
    pauses = scene.api.slept[:6]
    assert pauses == sorted(pauses)
    assert pauses[5] >= 8 * pauses[1]


async def test_a_watch_that_is_cut_off_now_and_then_is_taken_up_at_once(scene: Scene) -> None:
    """A load balancer may end every connection after some seconds: no reason to look less often."""

    async def cut_off(request: Any) -> Any:
        scene.now += 10
        return await watch(event("MODIFIED", "a", "2"), broken=True)(request)

    script(scene.api, [listing(pod("a", "1"))], [cut_off])
    async with scene.hub.following([A]):
        await turns(lambda: len(scene.api.slept) >= 6)
    assert set(scene.api.slept[:6]) == {1.0}


async def test_waiting_for_a_change_ends_with_its_time(scene: Scene) -> None:
    assert await scene.hub.changed(0, within=0.001) == 0


async def test_servers_that_end_every_watch_at_once_are_not_hammered(scene: Scene) -> None:
    script(scene.api, [listing(pod("a", "1"))], [watch()])
    async with scene.hub.following([A]):
        await turns(lambda: scene.count("watch") >= 3)
    assert scene.api.slept.count(1.5) >= 2


async def test_a_dead_server_is_asked_less_and_less() -> None:
    async with running() as (api, kube):
        api.on("GET", PATH, reset)
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await asyncio.sleep(0)

        hub = WatchHub(lambda: nullcontext(kube), sleep=sleep, jitter=lambda: 0.5)
        async with hub.following([A]) as view:
            await turns(lambda: len(pauses) >= 4)
            assert view.current() is None
            assert isinstance(view.trouble, errors.Unreachable)
        await hub.close()
        assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]


def version(view: View) -> str:
    """Of the pod `a` as it is seen; empty while it is not."""
    found = (view.current() or {}).get(A)
    return str(found["metadata"]["resourceVersion"]) if found else ""


async def test_a_refused_neighbour_does_not_silence_a_watch(scene: Scene) -> None:
    """The refusal closes the client that both listen through, and a reader of aiohttp's is not told of that."""
    hang = asyncio.Event()
    first, second = watch(event("MODIFIED", "a", "2"), hang=hang), watch(hang=hang)
    scene.api.on("GET", PATH, listing(pod("a", "1")), first, listing(pod("a", "3")), second)
    scene.api.on("GET", "/api/v1/namespaces/shop/events", status(403, "Forbidden", "you may not"))

    @asynccontextmanager
    async def opened() -> AsyncIterator[Kube]:
        async with ApiClient(Configuration(host=scene.api.url)) as client:
            yield Kube(client, cluster="fake")

    async def patiently(_: float) -> None:
        await asyncio.Event().wait()

    hub = WatchHub(opened, sleep=patiently)
    try:
        async with hub.following([A]) as view:
            await turns(lambda: version(view) == "2")
            async with hub.following([Reference("", "Event", "shop", "e")]):
                await turns(lambda: version(view) == "3")
                assert view.trouble is None
    finally:
        hang.set()
        await hub.close()


async def test_a_kind_is_watched_in_the_version_that_the_cluster_serves(scene: Scene) -> None:
    """Where a plan finds an object a wait has to find it too."""
    group = "gateway.networking.k8s.io"
    kind = {"group": group, "version": "v1beta1", "kind": "HTTPRoute"}
    version = {
        "version": "v1beta1",
        "resources": [{"resource": "httproutes", "responseKind": kind, "scope": "Namespaced"}],
    }
    scene.api.on("GET", "/api", ok({"items": []}))
    scene.api.on("GET", "/apis", ok({"items": [{"metadata": {"name": group}, "versions": [version]}]}))
    scene.api.on("GET", f"/apis/{group}/v1beta1/namespaces/shop/httproutes", listing(pod("a", "1")), watch())
    route = Reference(group, "HTTPRoute", "shop", "a")
    async with scene.hub.following([route]) as view:
        await turns(lambda: (view.current() or {}).get(route) is not None)
