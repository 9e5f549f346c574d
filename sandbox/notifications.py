"""Telling others of a push, in the envelope format of the CNCF Distribution registry.

A push of an image for several platforms is several events in one envelope: one for each manifest, then the index with
its tag. A delivery that is not answered with success is tried again, later each time, and given up in the end.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from sandbox.clock import Clock
from sandbox.oci import Blob, Name

Obj = dict[str, Any]

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/vnd.docker.distribution.events.v1+json"
ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds until the second attempt; doubled each time
PATIENCE = 10  # real seconds for one answer


@dataclass(frozen=True)
class Subscriber:
    """Who is told of pushes. `headers` may hold a secret: they are sent, and never shown."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Notifier:
    """Delivers in the background. `history` has one entry for each notification and subscriber."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.subscribers: list[Subscriber] = []
        self.history: list[Obj] = []
        self._running: set[asyncio.Task[None]] = set()

    def subscribe(self, subscriber: Subscriber) -> None:
        """From the next push on; a URL that is there already gets the new headers."""
        self.unsubscribe(subscriber.url)
        self.subscribers.append(subscriber)

    def unsubscribe(self, url: str | None) -> None:
        """Forget one URL; None forgets all."""
        self.subscribers = [s for s in self.subscribers if url is not None and s.url != url]

    def pushed(self, name: Name, index: Blob) -> None:
        """Tell everybody."""
        envelope = {"events": list(self.events(name, index))}
        for subscriber in self.subscribers:
            task = asyncio.create_task(self._deliver(subscriber, envelope))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Wait until every delivery has ended, one way or the other."""
        await asyncio.gather(*self._running)

    async def close(self) -> None:
        """Give up the deliveries that are still being tried."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def events(self, name: Name, index: Blob) -> Iterator[Obj]:
        """The events of one push."""
        for entry in index.manifests():
            yield self._event(name, {key: entry[key] for key in ("mediaType", "digest", "size")})
        yield self._event(name, {**index.descriptor, "tag": name.tag})

    def _event(self, name: Name, target: Obj) -> Obj:
        url = f"https://{name.host}/v2/{name.repository}/manifests/{target['digest']}"
        return {
            "id": str(uuid.uuid4()),
            "timestamp": self.clock.now().isoformat().replace("+00:00", "Z"),
            "action": "push",
            "target": {**target, "length": target["size"], "repository": name.repository, "url": url},
            "request": {"id": str(uuid.uuid4()), "host": name.host, "method": "PUT", "useragent": "sandbox"},
            "actor": {"name": "sandbox"},
            "source": {"addr": f"{name.host}:443", "instanceID": "sandbox"},
        }

    async def _deliver(self, subscriber: Subscriber, envelope: Obj) -> None:
        outcome: Obj = {"url": subscriber.url, "attempts": 0, "status": None}
        self.history.append(outcome)
        headers = {**subscriber.headers, "Content-Type": MEDIA_TYPE}
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            for attempt in range(ATTEMPTS):
                if attempt:
                    await self.clock.sleep(FIRST_WAIT * 2 ** (attempt - 1))
                outcome["attempts"] = attempt + 1
                try:
                    answer = await client.post(subscriber.url, content=json.dumps(envelope), headers=headers)
                except httpx.HTTPError as error:
                    outcome["status"] = type(error).__name__
                    continue
                outcome["status"] = answer.status_code
                if answer.is_success:
                    return
        log.warning("a push notification to %s was given up: %s", subscriber.url, outcome["status"])
