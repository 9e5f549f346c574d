"""Clocks: a virtual one wakes sleepers in order, a fast one shortens delays."""

import asyncio
from datetime import UTC, datetime

from sandbox.clock import Clock, VirtualClock


async def test_sleepers_wake_in_the_order_of_their_moments_each_at_its_own() -> None:
    clock, woken = VirtualClock(), list[tuple[str, float]]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    tasks = [
        asyncio.create_task(sleeper(name, seconds)) for name, seconds in (("late", 5), ("early", 2), ("never", 60))
    ]
    await clock.advance(10)
    assert woken == [("early", 2), ("late", 5)]
    assert clock.monotonic() == 10
    tasks[-1].cancel()


async def test_a_sleeper_that_sleeps_again_is_woken_within_the_same_advance() -> None:
    clock, ticks = VirtualClock(), list[float]()

    async def ticker() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(ticker())
    await clock.advance(3.5)
    assert ticks == [1, 2, 3]
    task.cancel()


async def test_speed_shortens_delays_but_not_timestamps() -> None:
    clock, began = Clock(speed=1000), datetime.now(UTC)
    await clock.sleep(5)
    assert clock.scaled(5) == 0.005
    assert began <= clock.now() <= datetime.now(UTC)
