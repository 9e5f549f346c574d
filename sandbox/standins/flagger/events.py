"""Kubernetes events about a Canary, written as client-go's recorder writes them.

The recorder does three things that readers must cope with: an event that repeats is counted up instead of written
again; from the `SIMILAR`th different message of one type on (none older than `WINDOW` apart) new ones share a single
event whose message starts with "(combined from similar events): "; and after `BURST` events of one type about a Canary
only one more gets through every `REFILL` seconds, the others are lost. Those count all the same: the next one that
gets through has the count of all.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.standins.flagger.spec import Canary

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock

Obj = dict[str, Any]

REASON = "Synced"
COMBINED = "(combined from similar events): "
SIMILAR = 10
WINDOW = 600.0  # seconds on the clock
BURST, REFILL = 25, 300.0  # events, seconds on the clock


@dataclass
class _Allowance:
    """How many events of one type about a Canary may still be written."""

    left: float
    since: datetime

    def taken(self, now: datetime, *, refill: float) -> bool:
        """Whether one more may be written now; it is taken from what is left."""
        self.left = min(float(BURST), self.left + (now - self.since).total_seconds() / refill)
        self.since = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class _Log:
    """One event as it was last observed: written or not, it counts."""

    name: str
    since: str
    count: int = 0


@dataclass
class _Similar:
    """The different messages of one type about a Canary."""

    messages: dict[str, None] = field(default_factory=dict)  # the one that was not said for longest first
    last: datetime | None = None

    def is_one_of_many(self, message: str, now: datetime, *, window: float) -> bool:
        if self.last and now - self.last > timedelta(seconds=window):
            self.messages.clear()
        self.messages.pop(message, None)
        self.messages[message] = None
        self.last = now
        if len(self.messages) < SIMILAR:
            return False
        del self.messages[next(iter(self.messages))]
        return True


class Events:
    """Writes events; remembers those of this run."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._logs: dict[tuple[str, str, str], _Log] = {}
        self._similar: dict[tuple[str, str], _Similar] = {}
        self._allowances: dict[tuple[str, str], _Allowance] = {}
        self._serial = itertools.count(1)

    async def write(self, canary: Canary, message: str, *, warning: bool) -> None:
        """One event about the Canary, unless it comes too soon after many others."""
        kind = "Warning" if warning else "Normal"
        uid = canary.obj["metadata"].get("uid", str(canary))
        similar = self._similar.setdefault((uid, kind), _Similar())
        combined = similar.is_one_of_many(message, self._clock.now(), window=self._clock.scaled(WINDOW))
        log = self._observed(canary, (uid, kind, COMBINED if combined else message))
        if self._may_write((uid, kind)):
            await self._write(canary, kind, f"{COMBINED}{message}" if combined else message, log)

    def _observed(self, canary: Canary, key: tuple[str, str, str]) -> _Log:
        now = self._clock.now()
        stamp = f"{int(now.timestamp() * 1000):x}{next(self._serial):04x}"
        log = self._logs.setdefault(key, _Log(f"{canary.name}.{stamp}", self._clock.timestamp()))
        log.count += 1
        return log

    def _may_write(self, key: tuple[str, str]) -> bool:
        now = self._clock.now()
        allowance = self._allowances.setdefault(key, _Allowance(BURST, now))
        return allowance.taken(now, refill=self._clock.scaled(REFILL))

    async def _write(self, canary: Canary, kind: str, message: str, log: _Log) -> None:
        now = self._clock.timestamp()
        if log.count > 1 and await self._client.get("v1", "Event", log.name, canary.namespace):
            change = {"count": log.count, "lastTimestamp": now, "message": message}
            await self._client.patch("v1", "Event", log.name, canary.namespace, change)
            return
        metadata = canary.obj["metadata"]
        involved = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "name": canary.name,
            "namespace": canary.namespace,
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        await self._client.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": log.name, "namespace": canary.namespace},
                "involvedObject": involved,
                "type": kind,
                "reason": REASON,
                "message": message,
                "source": {"component": "flagger"},
                "reportingComponent": "flagger",
                "reportingInstance": "",
                "firstTimestamp": log.since,
                "lastTimestamp": now,
                "count": log.count,
            }
        )
