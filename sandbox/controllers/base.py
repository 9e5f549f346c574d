"""The frame of every control loop in the sandbox: what to watch, a queue of names, and one function to write.

A controller never acts on an event. An event only says *which* object may need a look; the look itself
(`reconcile`) reads the present state and moves it one step towards the wanted one. So events may be lost, doubled or
merged without harm, and a crash is repaired by looking again:

    watch ──► keys(obj) ──► queue (each key at most once) ──► reconcile(namespace, name) ──► again after a delay?
                               ▲                                   │ error: backoff
                               └───────────────────────────────────┘

A key is never looked at twice at the same time, and an event that arrives during a look causes exactly one more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api.errors import ApiError

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock

log = logging.getLogger(__name__)

Obj = dict[str, Any]

FIRST_RETRY = 0.05  # seconds on the clock; doubled with each failure of the same key
LAST_RETRY = 5.0
NO_SUCH_KIND = 0.5  # seconds until a kind that is not served (its CRD is not there yet) is watched again


class Key(NamedTuple):
    namespace: str | None  # None for cluster-scoped objects
    name: str


def own_key(obj: Obj) -> list[Key]:
    """The object itself needs a look."""
    metadata = obj["metadata"]
    return [Key(metadata.get("namespace"), metadata["name"])]


def owner_keys(kind: str) -> Callable[[Obj], list[Key]]:
    """The object's controller of that kind needs a look."""

    def keys(obj: Obj) -> list[Key]:
        metadata = obj["metadata"]
        owners = metadata.get("ownerReferences") or ()
        return [Key(metadata.get("namespace"), o["name"]) for o in owners if o.get("controller") and o["kind"] == kind]

    return keys


class Watched(NamedTuple):
    """One row of a controller's table: the objects to watch, and whom an event of theirs is about."""

    api_version: str
    kind: str
    keys: Callable[[Obj], Iterable[Key]] = own_key


class Queue:
    """Keys waiting for a look. A waiting key is there once; one added during its own look comes again."""

    def __init__(self) -> None:
        self._waiting: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._busy: set[Key] = set()
        self._more = asyncio.Event()

    def add(self, key: Key) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._busy:
            self._waiting.append(key)
            self._more.set()

    async def take(self) -> Key:
        """The next key; it must be given back with `done`."""
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: Key) -> None:
        self._busy.discard(key)
        if key in self._dirty:
            self._waiting.append(key)
            self._more.set()

    @property
    def idle(self) -> bool:
        return not self._dirty and not self._busy


class Controller:
    """A control loop. Subclasses set `watches` and write `reconcile`; `run` is the task, ended by cancelling it.

    Objects that the client hands out are shared: copy before changing. `seen` and `lost` are optional: they are called
    with each event before its keys are queued (for indexes of one's own), and must not block.
    """

    watches: tuple[Watched, ...] = ()
    workers: int = 1  # looks at the same time; more only where a look waits for something outside

    def __init__(self, client: Client, clock: Clock) -> None:
        self.client = client
        self.clock = clock
        self.queue = Queue()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, tuple[float, asyncio.Task[None]]] = {}

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        """One look. Returns the seconds after which to look again without any event, or None.

        The object may be gone. A raised ApiError means "not now": the key comes again after a backoff.
        """
        raise NotImplementedError

    def seen(self, row: Watched, obj: Obj) -> None:
        """An object was added or changed."""

    def lost(self, row: Watched, obj: Obj) -> None:
        """An object is gone; `obj` is its last state."""

    def wake(self, namespace: str | None, name: str, *, after: float = 0) -> None:
        """Ask for a look, now or `after` seconds on the clock. Of several timers of one key the earliest counts."""
        key = Key(namespace, name)
        if after <= 0:
            self.queue.add(key)
            return
        due = self.clock.monotonic() + self.clock.scaled(after)
        pending = self._timers.get(key)
        if pending and pending[0] <= due:
            return
        if pending:
            pending[1].cancel()
        self._timers[key] = due, asyncio.create_task(self._wake_after(key, after))

    async def run(self) -> None:
        """Watch and reconcile until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for row in self.watches:
                    group.create_task(self._watch(row))
                for _ in range(self.workers):
                    group.create_task(self._work())
        finally:
            for _, timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    @property
    def idle(self) -> bool:
        """Nothing is queued or being looked at (timers may be pending)."""
        return self.queue.idle

    async def _wake_after(self, key: Key, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self._timers.pop(key, None)
        self.queue.add(key)

    async def _watch(self, row: Watched) -> None:
        while True:
            try:
                async for event, obj in self.client.watch(row.api_version, row.kind):
                    (self.lost if event == "DELETED" else self.seen)(row, obj)
                    for key in row.keys(obj):
                        self.queue.add(key)
            except ApiError as error:
                log.debug("%s: cannot watch %s %s: %s", type(self).__name__, row.api_version, row.kind, error)
            except Exception:  # the other outermost frame: one bad event must not end the loop
                log.exception("%s: watching %s %s failed", type(self).__name__, row.api_version, row.kind)
            await self.clock.sleep(NO_SUCH_KIND)

    async def _work(self) -> None:
        while True:
            key = await self.queue.take()
            try:
                again = await self.reconcile(key.namespace, key.name)
            except ApiError as error:
                again = self._retry(key)
                log.debug("%s %s: again in %.2f s: %s", type(self).__name__, key, again, error)
            except Exception:  # the outermost frame: a loop must outlive any bug of one look
                again = self._retry(key)
                log.exception("%s %s failed; again in %.2f s", type(self).__name__, key, again)
            else:
                self._failures.pop(key, None)
            finally:
                self.queue.done(key)
            if again is not None:
                self.wake(key.namespace, key.name, after=again)

    def _retry(self, key: Key) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(LAST_RETRY, FIRST_RETRY * 2 ** (failures - 1)))
