"""A cluster without HTTP: the server, all controllers and a clock that only the test moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sandbox.api.server import Server
from sandbox.client import Client
from sandbox.clock import VirtualClock
from sandbox.controllers.manager import Controllers
from sandbox.network import Network

Obj = dict[str, Any]

NAMESPACE = "shop"


class World:
    """What a test holds in hands."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.server = Server(clock=self.clock, network=Network())
        self.client = Client(self.server, manager="test")
        self.controllers = Controllers(
            self.server, lambda manager: Client(self.server, manager=manager), certificate="PEM"
        )

    @property
    def kubelet(self) -> Any:
        return self.controllers.kubelet

    async def pass_time(self, seconds: float = 1.0) -> None:
        await self.clock.advance(seconds)

    async def until(self, true: Callable[[], Any], *, within: float = 10.0, step: float = 0.05) -> float:
        """Move time until `true()`; returns the seconds it took."""
        begin = self.clock.monotonic()
        while not true():
            assert self.clock.monotonic() - begin < within, f"not within {within} s: {true}"
            await self.clock.advance(step)
        return self.clock.monotonic() - begin

    def find(self, group: str, plural: str, name: str, namespace: str | None = NAMESPACE) -> Obj | None:
        record = self.server.store.get((group, plural), namespace, name)
        return record.obj if record else None

    def items(self, group: str, plural: str, namespace: str | None = NAMESPACE, **labels: str) -> list[Obj]:
        found = [record.obj for record in self.server.store.list((group, plural), namespace)]
        return [obj for obj in found if labels.items() <= (obj["metadata"].get("labels") or {}).items()]

    def deployment(self, name: str = "web") -> Obj:
        found = self.find("apps", "deployments", name)
        assert found is not None
        return found

    def pods(self, **labels: str) -> list[Obj]:
        return [pod for pod in self.items("", "pods", **labels) if not pod["metadata"].get("deletionTimestamp")]

    def replica_sets(self) -> dict[str, Obj]:
        """By revision."""
        found = self.items("apps", "replicasets")
        return {rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: rs for rs in found}

    def available(self, name: str = "web") -> int:
        return int(self.deployment(name)["status"].get("availableReplicas", 0))

    def rolled_out(self, name: str = "web") -> bool:
        obj = self.deployment(name)
        status, wanted = obj.get("status") or {}, obj["spec"]["replicas"]
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        return status.get("observedGeneration") == obj["metadata"]["generation"] and counts == [wanted] * 3

    def condition(self, obj: Obj, kind: str) -> tuple[str, str]:
        found = next(c for c in obj["status"]["conditions"] if c["type"] == kind)
        return found["status"], found.get("reason", "")

    def said(self, reason: str) -> list[str]:
        """The messages of the events with this reason."""
        return [event["message"] for event in self.items("", "events") if event["reason"] == reason]

    async def deploy(self, name: str = "web", *, replicas: int = 1, **spec: Any) -> Obj:
        return await self.client.create(deployment(name, replicas=replicas, **spec))

    async def patch(self, kind: str, name: str, change: Obj, *, api_version: str = "apps/v1", **more: Any) -> Obj:
        return await self.client.patch(api_version, kind, name, NAMESPACE, change, **more)

    async def set_image(self, image: str, name: str = "web") -> Obj:
        containers = [{"name": "main", "image": image}]
        return await self.patch("Deployment", name, {"spec": {"template": {"spec": {"containers": containers}}}})


def deployment(name: str = "web", *, replicas: int = 1, image: str = "example.test/app:1", **spec: Any) -> Obj:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A running cluster with the namespace `shop`."""
    made = World()
    task = asyncio.create_task(made.controllers.run())
    await made.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    await made.pass_time(0.1)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def manifest() -> Callable[..., Obj]:
    return deployment
