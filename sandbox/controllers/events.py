"""Events as controllers write them: what happened to which object, counted up when it happens again."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock

log = logging.getLogger(__name__)

Obj = dict[str, Any]

REMEMBERED = 4096  # distinct events whose count can still go up
_serial = itertools.count(1)


class Recorder:
    """Writes the events of one component. A failed write is logged and forgotten: events are hints, never state."""

    def __init__(self, client: Client, clock: Clock, component: str, *, host: str | None = None) -> None:
        self.client = client
        self.clock = clock
        self.source = {"component": component} | ({"host": host} if host else {})
        self._known: dict[tuple[str, ...], tuple[str, int]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def normal(self, about: Obj, reason: str, message: str, *, field: str | None = None) -> None:
        self._start(about, "Normal", reason, message, field)

    def warning(self, about: Obj, reason: str, message: str, *, field: str | None = None) -> None:
        self._start(about, "Warning", reason, message, field)

    def _start(self, about: Obj, kind: str, reason: str, message: str, field: str | None) -> None:
        """The write happens after the present step, so that no reconcile waits for its words."""
        task = asyncio.get_running_loop().create_task(self._write(about, kind, reason, message, field))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, about: Obj, kind: str, reason: str, message: str, field: str | None) -> None:
        metadata = about["metadata"]
        key = (metadata.get("uid", ""), kind, reason, message, field or "")
        name, count = self._known.pop(key, ("", 0))
        namespace = metadata.get("namespace") or "default"
        try:
            if name and await self._count_up(namespace, name, count + 1):
                self._known[key] = (name, count + 1)
                return
            name = f"{metadata['name']}.{next(_serial) + int(self.clock.now().timestamp() * 1000) * 1000:016x}"
            self._known[key] = (name, 1)
            await self.client.create(self._event(about, namespace, name, kind, reason, message, field))
        except ApiError as error:
            log.debug("event %s of %s is lost: %s", reason, metadata["name"], error)
        if len(self._known) > REMEMBERED:
            self._known.pop(next(iter(self._known)))

    async def _count_up(self, namespace: str, name: str, count: int) -> bool:
        change = {"count": count, "lastTimestamp": self.clock.timestamp()}
        try:
            await self.client.patch("v1", "Event", name, namespace, change)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def _event(
        self, about: Obj, namespace: str, name: str, kind: str, reason: str, message: str, field: str | None
    ) -> Obj:
        metadata, now = about["metadata"], self.clock.timestamp()
        involved = {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace"),
            "uid": metadata.get("uid"),
            "resourceVersion": metadata.get("resourceVersion"),
            "fieldPath": field,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": reason,
            "message": message,
            "type": kind,
            "source": self.source,
            "reportingComponent": self.source["component"],
            "reportingInstance": self.source.get("host", ""),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
