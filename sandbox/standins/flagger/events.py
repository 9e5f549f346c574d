"""Kubernetes events about a Canary, written as client-go's recorder writes them.

The recorder does two things that readers must cope with: an event that repeats is counted up instead of written
again, and after `SIMILAR` different messages of one type within `WINDOW` the next ones share a single event whose
message starts with "(combined from similar events): ". The third thing, dropping events after 25 in a row, is left out.
"""

from __future__ import annotations

import itertools
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


class Events:
    """Writes events; remembers those of this run."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._known: dict[tuple[str, str, str], Obj] = {}
        self._messages: dict[tuple[str, str], dict[str, datetime]] = {}
        self._serial = itertools.count(1)

    async def write(self, canary: Canary, message: str, *, warning: bool) -> None:
        """One event about the Canary."""
        kind = "Warning" if warning else "Normal"
        uid = canary.obj["metadata"].get("uid", str(canary))
        combined = self._is_one_of_many(uid, kind, message)
        key = (uid, kind, COMBINED if combined else message)
        text = f"{COMBINED}{message}" if combined else message
        now = self._clock.timestamp()
        known = self._known.get(key)
        if known is not None:
            self._known[key] = await self._repeat(known, text, now) or await self._create(canary, kind, text, now)
        else:
            self._known[key] = await self._create(canary, kind, text, now)

    def _is_one_of_many(self, uid: str, kind: str, message: str) -> bool:
        now = self._clock.now()
        recent = self._messages.setdefault((uid, kind), {})
        oldest = now - timedelta(seconds=self._clock.scaled(WINDOW))
        if recent and max(recent.values()) < oldest:
            recent.clear()
        recent[message] = now
        return len(recent) > SIMILAR

    async def _create(self, canary: Canary, kind: str, message: str, now: str) -> Obj:
        metadata = canary.obj["metadata"]
        stamp = f"{int(self._clock.now().timestamp() * 1000):x}{next(self._serial):04x}"
        involved = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "name": canary.name,
            "namespace": canary.namespace,
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{canary.name}.{stamp}", "namespace": canary.namespace},
            "involvedObject": involved,
            "type": kind,
            "reason": REASON,
            "message": message,
            "source": {"component": "flagger"},
            "reportingComponent": "flagger",
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        return await self._client.create(event)

    async def _repeat(self, known: Obj, message: str, now: str) -> Obj | None:
        metadata = known["metadata"]
        if await self._client.get("v1", "Event", metadata["name"], metadata["namespace"]) is None:
            return None
        change = {"count": known["count"] + 1, "lastTimestamp": now, "message": message}
        return await self._client.patch("v1", "Event", metadata["name"], metadata["namespace"], change)
