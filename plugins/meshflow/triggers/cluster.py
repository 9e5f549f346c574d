"""One stream per cluster in a triggerer, shared by every trigger that waits on that cluster.

Airflow opens the stream of a key once (`open_shared_stream`) and hands it to all triggers with that key. What flows
through it are wake-ups, not objects: the `WatchHub` of the cluster holds one list and one watch per resource and
scope, and a woken trigger looks there at its own objects. So a burst of events can neither overflow the queue of a
slow subscriber (Airflow fails it at 1024 entries) nor cost a late joiner what came before it. A heartbeat wakes
everyone, which is how a deadline is noticed while nothing happens.

Two rules of Airflow 3.3 shape this: a stream that raises or ends fails every subscriber, so this one does neither; and
for a deferred task the filter has to return after its event.

Nothing is judged by what may be old: while the cluster cannot be asked a trigger waits, says why in the task's log, and
says it again in its last sentence if its time runs out so. One that starts after its deadline, because the triggerer
was down, still gets a first look.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from airflow.sdk import timezone
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from meshflow import errors
from meshflow.clients.watch import View, WatchHub
from meshflow.hooks.cluster import ClusterHook
from meshflow.objects.reference import Obj, Reference

HEARTBEAT = 1.0  # seconds
FIRST_LOOK = timedelta(seconds=20)  # within this the cluster has to answer a trigger whose deadline has passed

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, WatchHub]] = WeakKeyDictionary()


def hub_of(cluster: str) -> WatchHub:
    """The hub of a cluster in this process and event loop; it connects when somebody first follows something."""
    hubs = _hubs.setdefault(asyncio.get_running_loop(), {})
    if cluster not in hubs:
        hubs[cluster] = WatchHub(ClusterHook(cluster).kube)
    return hubs[cluster]


class ClusterTrigger(BaseEventTrigger):
    """Waits on objects of one cluster until `judge` has an answer or the deadline (ISO 8601) passes."""

    def __init__(self, *, cluster: str, deadline: str) -> None:
        super().__init__()
        self.cluster = cluster
        self.deadline = deadline
        self._trouble = ""

    @abstractmethod
    def interest(self) -> Sequence[Reference]:
        """The objects to look at."""

    @abstractmethod
    def judge(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any] | None:
        """The event's payload, or None to go on waiting."""

    @abstractmethod
    def expired(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any]:
        """The event's payload when the deadline has passed."""

    @abstractmethod
    def blind(self, why: str) -> dict[str, Any]:
        """The event's payload when the deadline has passed and the cluster could not be asked."""

    def shared_stream_key(self) -> Hashable | None:
        """All waits on one cluster share one stream."""
        return ("meshflow", self.cluster)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[int]:
        """A wake-up whenever something in the cluster changed that somebody follows, and at each heartbeat."""
        async with aclosing(wakeups(kwargs["cluster"])) as stream:
            async for wakeup in stream:
                yield wakeup

    async def filter_shared_stream(self, shared_stream: AsyncIterator[int]) -> AsyncGenerator[TriggerEvent]:
        """This trigger's event, once."""
        hub, since = hub_of(self.cluster), timezone.utcnow()
        async with hub.following(self.interest()) as view:
            payload = self._look(view, since)
            if payload is None:
                async for _ in shared_stream:
                    payload = self._look(view, since)
                    if payload is not None:
                        break
        if payload is not None:
            yield TriggerEvent(payload)

    async def run(self) -> AsyncGenerator[TriggerEvent]:
        """The same alone, for `dag.test()`."""
        async with aclosing(self.filter_shared_stream(wakeups(self.cluster))) as events:
            async for event in events:
                yield event

    def _look(self, view: View, since: datetime) -> dict[str, Any] | None:
        seen, trouble = view.current(), self._told(view.trouble)
        known = seen if not trouble else None
        if known is not None and (payload := self.judge(known)) is not None:
            return payload
        now = timezone.utcnow()
        if now < datetime.fromisoformat(self.deadline):
            return None
        if known is not None:
            return self.expired(known)
        return self.blind(trouble or "no answer yet") if now >= since + FIRST_LOOK else None

    def _told(self, trouble: errors.MeshflowError | None) -> str:
        """Why the cluster cannot be asked, logged once; empty while it can be, and where only a kind is missing."""
        why = "" if trouble is None or isinstance(trouble, errors.NotFound) else str(trouble)
        if why != self._trouble:
            self._trouble = why
            self.log.info("%s", f"The cluster cannot be asked: {why}" if why else "The cluster answers again.")
        return why


async def wakeups(cluster: str) -> AsyncGenerator[int]:
    """Numbers that rise with the hub's changes; the same number again is a heartbeat. Never ends, never raises."""
    hub, number = hub_of(cluster), 0
    while True:
        number = await hub.changed(number, within=HEARTBEAT)
        yield number
