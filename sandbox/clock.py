"""Time in the sandbox: every delay and every timestamp comes from a `Clock`.

`Clock(speed)` is the wall clock whose delays are divided by `speed`; timestamps stay real, since clients compare them
with their own clocks. `VirtualClock` stands still until a test moves it, and then wakes sleepers in order.
"""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The wall clock, with delays divided by `speed` (1.0 = real time)."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.offset = timedelta()  # the clock-jump fault moves timestamps by this much

    def now(self) -> datetime:
        """Return the time in UTC, aware."""
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        """Return seconds of an unspecified origin that never go back."""
        return time.monotonic()

    def scaled(self, seconds: float) -> float:
        """Return the real seconds that `seconds` of the simulation take."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the simulation."""
        await asyncio.sleep(self.scaled(seconds))

    def timestamp(self) -> str:
        """Return now as metav1.Time: whole seconds, 2026-01-31T12:00:00Z."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def micro_timestamp(self) -> str:
        """Return now as metav1.MicroTime: 2026-01-31T12:00:00.000000Z."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class VirtualClock(Clock):
    """A clock that only `advance` moves; `speed` is ignored."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._start = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed) + self.offset

    def monotonic(self) -> float:
        return self._elapsed

    def scaled(self, seconds: float) -> float:
        return seconds

    async def sleep(self, seconds: float) -> None:
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(seconds, 0.0), next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking each sleeper at its own moment and letting it run before the next."""
        target = self._elapsed + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._elapsed, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                wake.set_result(None)
            await self._settle()
        self._elapsed = target

    @staticmethod
    async def _settle() -> None:
        for _ in range(50):
            await asyncio.sleep(0)
