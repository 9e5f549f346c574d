"""The real Prometheus behind the stand-in, where the machine has one."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.clock import Clock
from sandbox.metrics import Metrics, Target, sorted_labels
from sandbox.standins.prometheus.child import Child
from tests.conftest import PATIENCE

BINARY = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(BINARY is None, reason="no prometheus on the PATH")


class Running:
    """A child over one page whose counter grows by ten with each look at it."""

    def __init__(self) -> None:
        self.looks = 0
        self.metrics = Metrics()
        self.page = self.metrics.page(Target("kubernetes-pods", "10.0.0.1:15020", "weather", "web-1"))
        self.child = Child(str(BINARY), self.metrics, Clock(10), self.refresh)

    async def refresh(self) -> None:
        self.looks += 1
        self.page.series["requests_total", sorted_labels({"namespace": "own"})] = 10.0 * self.looks

    async def ask(self, path: str, **params: str) -> Any:
        transport = httpx.ASGITransport(self.child.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://p") as client:
            return (await client.get(path, params=params)).json()

    async def value(self, query: str) -> Any:
        """The first answer that is not empty."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = (await self.ask("/api/v1/query", query=query))["data"]["result"]
                if found:
                    return found[0]
                await asyncio.sleep(0.1)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    await made.child.start()
    yield made
    await made.child.stop()


async def test_it_scrapes_and_answers(running: Running) -> None:
    """Series carry the labels of their target; a clashing label of their own is kept as exported."""
    found = await running.value("requests_total - requests_total offset 1s > 0")
    assert float(found["value"][1]) % 10 == 0
    assert found["metric"] == {
        "job": "kubernetes-pods",
        "instance": "10.0.0.1:15020",
        "namespace": "weather",
        "pod": "web-1",
        "exported_namespace": "own",
    }
    assert (await running.value('up{pod="web-1"}'))["value"][1] == "1"
    targets = (await running.ask("/api/v1/targets"))["data"]["activeTargets"]
    assert {target["labels"]["job"] for target in targets} == {"prometheus", "kubernetes-pods"}


async def test_nothing_is_left_of_it() -> None:
    """After stop neither the process nor its data is there."""
    made = Running()
    await made.child.start()
    pid, folder = made.child.pid, made.child.folder
    await made.child.stop()
    assert folder.name not in os.listdir(tempfile.gettempdir())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_binary_that_ends_at_once_is_an_error() -> None:
    """The stand-in can then answer by itself."""
    child = Child("/bin/false", Metrics(), Clock(), Running().refresh)
    with pytest.raises(OSError, match="did not get ready"):
        await child.start()
    await child.stop()
