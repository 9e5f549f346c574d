"""A cluster in this process, a triggerer's shared streams, and a clock that a test sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.shared_stream import SharedStreamManager

from meshflow.triggers import cluster as cluster_module
from meshflow.triggers.cluster import ClusterTrigger, hub_of
from sandbox.cluster import Cluster
from tests.conftest import PATIENCE

Obj = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Airflow's clock, standing still until it is set."""

    def __init__(self) -> None:
        self.now = START

    def utcnow(self) -> datetime:
        return self.now

    def after(self, seconds: float) -> str:
        """The deadline this long from the start."""
        return (START + timedelta(seconds=seconds)).isoformat()


class Triggerer:
    """What a triggerer does with triggers that share a stream, by Airflow's own manager."""

    def __init__(self) -> None:
        self.manager = SharedStreamManager()
        self.tasks: dict[int, asyncio.Task[list[Any]]] = {}

    def start(self, trigger: ClusterTrigger) -> asyncio.Task[list[Any]]:
        """Run a trigger; the task's result are the payloads of its events."""
        number = len(self.tasks)
        self.tasks[number] = asyncio.create_task(self._run(number, trigger))
        return self.tasks[number]

    async def _run(self, number: int, trigger: ClusterTrigger) -> list[Any]:
        key = trigger.shared_stream_key()
        assert key is not None
        stream = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            return [event.payload async for event in trigger.filter_shared_stream(stream)]
        finally:
            await self.manager.unsubscribe(number, key)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(cluster_module, "timezone", SimpleNamespace(utcnow=made.utcnow))
    monkeypatch.setattr(cluster_module, "HEARTBEAT", 0.01)
    return made


@pytest.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """A cluster of the test's own, known to Airflow as `kubernetes_default`, with the namespace `shop`."""
    async with Cluster(speed=50, crds=True) as made:
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(made.kubeconfig())}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        await made.client("test").create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield made
        await hub_of("default").close()


@pytest.fixture
async def triggerer() -> AsyncIterator[Triggerer]:
    made = Triggerer()
    yield made
    for task in made.tasks.values():
        task.cancel()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)
    await made.manager.stop_all()


async def until(condition: Callable[[], bool]) -> None:
    """Give others their turn until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for belongs to others, who ring no bell
            await asyncio.sleep(0.005)
