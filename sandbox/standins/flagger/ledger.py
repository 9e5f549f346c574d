"""What Flagger writes to the Canary itself: its status and its finalizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError
from sandbox.standins.flagger import hashing, status
from sandbox.standins.flagger.spec import Canary
from sandbox.standins.flagger.status import Phase
from sandbox.standins.flagger.world import CANARY, Trouble, World

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock

Obj = dict[str, Any]

FINALIZER = "finalizer.flagger.app"
TRIES = 5  # of a write that meets a newer resourceVersion


class Ledger:
    """Writes the status of Canaries, always on top of what stands there now."""

    def __init__(self, client: Client, clock: Clock, world: World) -> None:
        self.client, self.clock, self.world = client, clock, world

    async def sync(
        self, canary: Canary, phase: Phase, *, weight: int = 0, failed: int = 0, iterations: int = 0
    ) -> None:
        """Set the whole status, with the target's present hash and configs."""
        target = await self.world.target(canary)
        found = await self.world.checksums(canary)

        def change(current: Obj) -> Obj:
            return status.synced(
                current,
                phase,
                kind=canary.target_kind,
                spec_hash=hashing.spec_hash(target["spec"]["template"]),
                configs=found,
                now=self.clock.timestamp(),
                weight=weight,
                failed=failed,
                iterations=iterations,
            )

        await self._write_status(canary, change)

    async def enter(self, canary: Canary, phase: Phase) -> None:
        """Change the phase."""
        wanted = canary.analysis.iterations
        now = self.clock.timestamp()
        await self._write_status(
            canary, lambda s: status.entered(s, phase, kind=canary.target_kind, iterations=wanted, now=now)
        )

    async def count(self, canary: Canary, field: str, value: int) -> None:
        """Set one number of the status."""
        await self._write_status(canary, lambda s: status.counted(s, field, value, now=self.clock.timestamp()))

    async def initialise(self, canary: Canary) -> None:
        """Give a Canary its first status."""
        now = self.clock.timestamp()
        await self._write_status(canary, lambda s: status.initializing(s, kind=canary.target_kind, now=now))

    async def set_finalizer(self, canary: Canary, *, present: bool) -> None:
        """Add or remove Flagger's finalizer."""
        for attempt in range(TRIES):
            live = await self.client.get(CANARY, "Canary", canary.name, canary.namespace)
            if live is None:
                return
            others = [f for f in live["metadata"].get("finalizers") or () if f != FINALIZER]
            metadata = {**live["metadata"], "finalizers": [*others, FINALIZER] if present else others}
            try:
                await self.client.update({**live, "metadata": metadata})
                return
            except ApiError as error:
                if error.code != 409 or attempt == TRIES - 1:
                    raise

    async def _write_status(self, canary: Canary, change: Callable[[Obj], Obj]) -> None:
        for attempt in range(TRIES):
            live = await self.client.get(CANARY, "Canary", canary.name, canary.namespace)
            if live is None:
                raise Trouble(f"canary {canary} get query failed: not found")
            try:
                await self.client.update({**live, "status": change(live.get("status") or {})}, subresource="status")
                return
            except ApiError as error:
                if error.code != 409 or attempt == TRIES - 1:
                    raise
