"""The queue, the retries and the timers that every control loop shares."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sandbox.api.errors import ApiError
from sandbox.clock import VirtualClock
from sandbox.controllers.base import Controller, Key, Queue, Watched, own_key, owner_keys


def pod(name, **metadata):
    return {"metadata": {"name": name, "namespace": "shop", **metadata}}


class Feed:
    """A client whose watches are fed by the test."""

    def __init__(self):
        self.events = asyncio.Queue()

    async def watch(self, api_version, kind, namespace=None) -> AsyncIterator:
        while True:
            yield await self.events.get()


class Looker(Controller):
    watches = (Watched("v1", "Pod"),)

    def __init__(self, client, clock):
        super().__init__(client, clock)
        self.looks, self.answers = [], []

    async def reconcile(self, namespace, name):
        self.looks.append((namespace, name, self.clock.monotonic()))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def looker():
    made = Looker(Feed(), VirtualClock())
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_key_waits_only_once():
    queue = Queue()
    for _ in range(3):
        queue.add(Key("shop", "a"))
    queue.add(Key("shop", "b"))
    assert [k.name for k in queue._waiting] == ["a", "b"]


async def test_a_key_that_is_added_during_its_look_comes_again_afterwards():
    queue = Queue()
    queue.add(Key("shop", "a"))
    key = await queue.take()
    queue.add(key)
    assert not queue._waiting, "expected no second look at the same time"
    queue.done(key)
    assert await queue.take() == key


async def test_several_events_of_one_object_may_be_one_look(looker):
    for _ in range(3):
        looker.client.events.put_nowait(("MODIFIED", pod("a")))
    looker.client.events.put_nowait(("ADDED", pod("b")))
    await looker.clock.advance(0)
    assert {(namespace, name) for namespace, name, _ in looker.looks} == {("shop", "a"), ("shop", "b")}


@pytest.mark.parametrize("trouble", [ApiError(409, "Conflict", "moved"), ValueError("a bug")], ids=["refused", "bug"])
async def test_a_failed_look_is_repeated_with_growing_pauses(looker, trouble):
    looker.answers = [trouble, trouble, trouble]
    looker.wake("shop", "a")
    await looker.clock.advance(1)
    times = [round(time, 3) for _, _, time in looker.looks]
    assert times == [0, 0.05, 0.15, 0.35]


async def test_a_look_can_ask_for_another_one_later(looker):
    looker.answers = [30.0]
    looker.wake("shop", "a")
    await looker.clock.advance(29)
    assert len(looker.looks) == 1
    await looker.clock.advance(2)
    assert len(looker.looks) == 2


async def test_of_two_timers_the_earlier_one_counts(looker):
    looker.wake("shop", "a", after=5)
    looker.wake("shop", "a", after=1)
    looker.wake("shop", "a", after=9)
    await looker.clock.advance(20)
    assert [time for _, _, time in looker.looks] == [1]


def test_events_lead_to_the_object_or_to_its_controller():
    owner = {"kind": "ReplicaSet", "name": "web-1", "controller": True}
    child = pod("web-1-x", ownerReferences=[owner, {"kind": "ReplicaSet", "name": "other"}])
    assert own_key(child) == [("shop", "web-1-x")]
    assert owner_keys("ReplicaSet")(child) == [("shop", "web-1")]
    assert owner_keys("Job")(child) == []
