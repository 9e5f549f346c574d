"""The world of Flagger's stand-in."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.standins.flagger.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.network.close()
