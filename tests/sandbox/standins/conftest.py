"""A whole cluster in this process, and the stand-in charts installed in it as Meshflow would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from sandbox.api.errors import ApiError
from sandbox.client import Client
from sandbox.cluster import Cluster
from tests.conftest import PATIENCE
from tests.sandbox.charts.rendering import example, render

Obj = dict[str, Any]

SPEED = 50
CLUSTER_WIDE = frozenset(
    {
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    }
)
ORDER = ("CustomResourceDefinition", "Deployment")  # the first come first, the last come last


class House:
    """The cluster, with the verbs that the tests of this folder share."""

    def __init__(self) -> None:
        self.cluster = Cluster(speed=SPEED)

    @property
    def client(self) -> Client:
        return self.cluster.client("meshflow")

    async def namespace(self, name: str, **labels: str) -> None:
        labels = {key.replace("_", "-"): value for key, value in labels.items()}
        metadata = {"name": name, "labels": labels}
        await self.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    async def install(self, chart: str, release: str, namespace: str, values: str | Obj = "") -> None:
        """Apply a chart (values as a file of the example, or as data) and wait until its Deployments are available."""
        given = example(values) if isinstance(values, str) and values else values or {}
        objects = render(chart, release, namespace, given)  # type: ignore[arg-type]
        for obj in sorted(objects, key=lambda o: (o["kind"] != ORDER[0], o["kind"] == ORDER[1])):
            if obj["kind"] not in CLUSTER_WIDE:
                obj["metadata"].setdefault("namespace", namespace)
            await self.client.apply(obj)
        for obj in objects:
            if obj["kind"] == "Deployment":
                await self.available(namespace, obj["metadata"]["name"])
        for obj in objects:
            if obj["kind"] == "Service":
                await self.reachable(namespace, obj["metadata"]["name"])

    async def available(self, namespace: str, name: str) -> Obj:
        """Wait until the Deployment is available and its stand-in, if it has one, is awake."""
        found = await self.until("apps/v1", "Deployment", namespace, name, _available)
        kind = self.cluster.standins._kind_of(found)
        async with asyncio.timeout(PATIENCE):
            while kind and (namespace, name) not in self.cluster.standins.running:  # noqa: ASYNC110
                await asyncio.sleep(0)
        return found

    async def reachable(self, namespace: str, service: str) -> None:
        """Wait until the Service has a ready endpoint: a little later than its Deployment is available."""
        async with asyncio.timeout(PATIENCE):
            async for _, obj in self.client.watch("discovery.k8s.io/v1", "EndpointSlice", namespace):
                endpoints = obj.get("endpoints") or []
                mine = obj["metadata"]["labels"].get("kubernetes.io/service-name") == service
                if mine and any(endpoint["conditions"]["ready"] for endpoint in endpoints):
                    return

    async def until(self, version: str, kind: str, namespace: str, name: str, true: Callable[[Obj], Any]) -> Obj:
        """Wait by a watch until an object is as it should be."""
        async with asyncio.timeout(PATIENCE):
            async for change, obj in self.client.watch(version, kind, namespace or None):
                if change != "DELETED" and obj["metadata"]["name"] == name and true(obj):
                    return obj
        raise AssertionError("a watch never ends")

    async def get(self, url: str, **more: Any) -> httpx.Response:
        return await self.cluster.network.request("GET", url, **more)

    async def post(self, url: str, **more: Any) -> httpx.Response:
        return await self.cluster.network.request("POST", url, **more)

    async def refused(self, obj: Obj) -> ApiError:
        """The refusal of an object."""
        with pytest.raises(ApiError) as refusal:
            await self.client.create(obj)
        return refusal.value


def _available(deployment: Obj) -> bool:
    status = deployment.get("status") or {}
    return bool(status.get("availableReplicas"))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    async with made.cluster:
        yield made


@pytest.fixture
async def mesh(house: House) -> House:
    """With Istio's definitions and control plane."""
    await house.namespace("istio-system")
    await house.install("base", "istio-base", "istio-system")
    await house.install("istiod", "istiod", "istio-system")
    for webhooks in ("istio-sidecar-injector", "istiod-default-validator"):
        kind = "MutatingWebhookConfiguration" if "injector" in webhooks else "ValidatingWebhookConfiguration"
        await house.until("admissionregistration.k8s.io/v1", kind, "", webhooks, _trusted)
    return house


def _trusted(configuration: Obj) -> bool:
    return all(webhook["clientConfig"].get("caBundle") for webhook in configuration["webhooks"])
