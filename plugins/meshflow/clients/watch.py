"""One list and one watch per resource and scope, however many wait on it.

A scope is a kind in one namespace (or a cluster-scoped kind). Its task lists, then watches from there, for ever:

    list ──► watch ──► (ended by the server) ──► watch from the last version
      ▲        │
      └────────┴── 410 Expired, an error (after backoff), or time to resync

What is kept is the present state, not a history: a late joiner sees the same as everybody else, a slow one misses
states in between but never the last one, and nobody has a queue that can overflow. Errors of the cluster are kept as
`trouble` of the scope until it recovers; they end nothing. Waiters poll no cluster, they wait for `changed`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

from meshflow.clients.kube import Kube, Listing
from meshflow.clients.scopes import EVERY, Observation, Scope, ScopeKey, View, key_of
from meshflow.clients.statuses import Expired
from meshflow.errors import MeshflowError, NotFound, Permanent, Temporary
from meshflow.objects.kinds import Kind
from meshflow.objects.reference import Reference

__all__ = ["EVERY", "Observation", "View", "WatchHub"]

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
LASTING = 2.0  # seconds after which a watch counts as one that works


class WatchHub:
    """All scopes that somebody follows in one cluster.

    `open_kube` opens the cluster's client; it is opened by the first follower, again after refused credentials, and
    closed when nobody follows anything any longer: the next one may find another connection in its settings. `resync`
    is the time in seconds after which a scope is listed anew whatever the watch says, `rotation` how long one watch
    lasts (a connection that died silently is noticed within it), `linger` how long a scope is kept without followers.
    """

    def __init__(
        self,
        open_kube: Callable[[], AbstractAsyncContextManager[Kube]],
        *,
        resync: float = 300.0,
        rotation: int = 60,
        linger: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._open_kube = open_kube
        self._resync, self._rotation, self._linger = resync, rotation, linger
        self._sleep, self._clock, self._jitter = sleep, clock, jitter
        self._scopes: dict[ScopeKey, Scope] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._number = 0
        self._rung = asyncio.Event()
        self._client: Kube | None = None
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()

    # For followers

    @asynccontextmanager
    async def following(self, references: Iterable[Reference]) -> AsyncIterator[View]:
        """A view of these objects, kept up to date as long as the context is open."""
        wanted = tuple(references)
        scopes = [self._join(key) for key in sorted({key_of(reference) for reference in wanted}, key=str)]
        try:
            yield View(wanted, scopes)
        finally:
            for scope in scopes:
                self._leave(scope)

    async def changed(self, number: int, *, within: float | None = None) -> int:
        """The hub's count of changes, as soon as it is beyond `number`, or after `within` seconds."""
        if self._number <= number:
            rung = self._rung
            try:
                async with asyncio.timeout(within):
                    await rung.wait()
            except TimeoutError:
                pass  # a heartbeat: the caller looks at its own deadline
        return self._number

    async def follow(self, references: Iterable[Reference]) -> AsyncIterator[Observation]:
        """Each object as it is, then again whenever it changes. Never ends and raises nothing by itself."""
        seen: dict[Reference, str | None] = {}
        number = -1
        async with self.following(references) as view:
            while True:
                number = await self.changed(number)
                for reference, obj in (view.current() or {}).items():
                    version = obj["metadata"].get("resourceVersion", "") if obj else None
                    if reference not in seen or seen[reference] != version:
                        seen[reference] = version
                        yield Observation(reference, obj)

    async def close(self) -> None:
        """End all watches and close the client."""
        tasks = [scope.task for scope in self._scopes.values() if scope.task] + list(self._retiring)
        self._scopes.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._disconnect(self._client)

    # Scopes come and go with their followers

    def _join(self, key: ScopeKey) -> Scope:
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scopes[key] = Scope(key)
            scope.task = asyncio.create_task(self._keep(scope), name=f"watch {scope}")
        scope.followers += 1
        return scope

    def _leave(self, scope: Scope) -> None:
        scope.followers -= 1
        if scope.followers == 0:
            retiring = asyncio.create_task(self._retire(scope), name=f"retire {scope}")
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)

    async def _retire(self, scope: Scope) -> None:
        await self._sleep(self._linger)
        if scope.followers == 0 and self._scopes.get(scope.key) is scope and scope.task:
            del self._scopes[scope.key]
            scope.task.cancel()
            await asyncio.gather(scope.task, return_exceptions=True)
            await self._disconnect(self._client, unless=lambda: bool(self._scopes))

    # One scope's life

    async def _keep(self, scope: Scope) -> None:
        failures = 0
        while True:
            try:
                await self._listen(scope)
            except Expired:
                failures = self._counted(failures, scope)
                pause = self._jitter() * 2 ** (failures - 1)  # everybody's watches expire at the same moment
                await self._sleep(min(LONGEST_PAUSE, pause))
            except MeshflowError as error:
                failures = self._counted(failures, scope)
                await self._in_trouble(scope, error, failures)
            except Exception as error:  # the outermost frame of a task: ending here would be silence
                log.exception("watch of %s", scope)
                failures = self._counted(failures, scope)
                await self._in_trouble(scope, Temporary(f"{scope}: {type(error).__name__}: {error}"), failures)

    def _counted(self, failures: int, scope: Scope) -> int:
        """Failures in a row. One after a watch that lasted is the first; that a list worked says nothing."""
        since, scope.watched_since = scope.watched_since, None
        lasted = since is not None and self._clock() - since > LASTING
        return 1 if lasted else min(failures + 1, 7)

    async def _in_trouble(self, scope: Scope, error: MeshflowError, failures: int) -> None:
        if isinstance(error, NotFound):  # the kind is not served (yet): so there are no objects of it
            scope.replace(())
        scope.trouble = error
        self._ring()
        if isinstance(error, Permanent) and not isinstance(error, NotFound):
            await self._disconnect(scope.client)  # credentials may have been renewed
        seconds = min(LONGEST_PAUSE, 0.5 * 2**failures) * (0.5 + self._jitter())
        log.warning("watch of %s: %s; again in %.1f s", scope, error, seconds)
        await self._sleep(seconds)

    async def _listen(self, scope: Scope) -> None:
        """List, then watch until it is time to resync; raises what ends it earlier."""
        kube = scope.client = await self._connect()
        kind, listing = await self._list(kube, scope)
        scope.replace(listing.items)
        self._ring()
        version, until = listing.resource_version, self._clock() + self._resync
        scope.watched_since = self._clock()
        while self._clock() < until and kube is self._client:
            version = await self._watch_once(kube, scope, kind, version)

    async def _list(self, kube: Kube, scope: Scope) -> tuple[Kind, Listing]:
        """All objects of a scope; in another version where the cluster does not serve ours, as a plan reads them."""
        group, name, namespace = scope.key
        reference = Reference(group, name, namespace, "")
        kind = await self._kind(kube, reference)
        try:
            return kind, await kube.list(kind, namespace=namespace)
        except NotFound:
            other = await kube.another_version(reference)
            if other is None:
                raise
            kind = await kube.kind_of(reference, version=other)
            return kind, await kube.list(kind, namespace=namespace)

    async def _watch_once(self, kube: Kube, scope: Scope, kind: Kind, version: str) -> str:
        began = self._clock()
        events = kube.watch(kind, namespace=scope.key[2], resource_version=version, timeout=self._rotation)
        try:
            async with asyncio.timeout(None) as scope.watching, aclosing(events):
                async for event in events:
                    version = event.obj["metadata"].get("resourceVersion", version)
                    if scope.take(event):
                        self._ring()
        except TimeoutError:
            if kube is self._client:
                raise
            return version  # the client was closed: the scope listens through the next one
        finally:
            scope.watching = None
        if self._clock() - began < 1:  # a server that ends every watch at once must not be hammered
            await self._sleep(1 + self._jitter())
        return version

    async def _kind(self, kube: Kube, reference: Reference) -> Kind:
        try:
            return await kube.kind_of(reference)
        except NotFound:
            kube.forget_kinds()
            raise

    # The client

    async def _connect(self) -> Kube:
        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(self._open_kube())
            return self._client

    async def _disconnect(self, client: Kube | None, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Close this client; nothing happens when another one has taken its place already."""
        async with self._opening:
            if client is not None and client is self._client and not unless():
                self._client = None
                for scope in self._scopes.values():  # a reader of aiohttp's is not woken when its connection is closed
                    if scope.client is client and scope.watching and not scope.watching.expired():
                        scope.watching.reschedule(asyncio.get_running_loop().time())
                await self._stack.aclose()

    def _ring(self) -> None:
        self._number += 1
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()
