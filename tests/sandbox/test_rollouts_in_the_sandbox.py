"""Whole rollouts in a whole cluster, on virtual time: API server, controllers, traffic, Prometheus, Flagger."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.client import Client
from sandbox.clock import VirtualClock
from sandbox.cluster import Cluster
from tests.sandbox.fake_cluster import Obj

GOOD, BAD, SLOW = (f"ghcr.io/stefanprodan/podinfo:{tag}" for tag in ("good", "bad", "slow"))
PROXY = {"name": "istio-proxy", "image": "registry.istio.io/release/proxyv2:1.30.3", "restartPolicy": "Always"}
HOOK = "http://flagger-loadtester.istio-system"


def deployment(name: str, namespace: str, image: str, port: int, *, proxied: bool = False, args: Any = ()) -> Obj:
    container = {"name": name, "image": image, "args": list(args), "ports": [{"containerPort": port}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"prometheus.io/scrape": "true"}},
                "spec": {"containers": [container], "initContainers": [PROXY] if proxied else []},
            },
        },
    }


def service(name: str, port: int, target: int) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "istio-system"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": target}]},
    }


def canary(*webhooks: Obj) -> Obj:
    metrics = [
        {"name": "request-success-rate", "interval": "30s", "thresholdRange": {"min": 99}},
        {"name": "request-duration", "interval": "30s", "thresholdRange": {"max": 500}},
    ]
    steps = {"interval": "10s", "threshold": 3, "stepWeight": 20, "maxWeight": 60}
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "web", "namespace": "weather"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "service": {"port": 80, "targetPort": 9898},
            "analysis": {**steps, "metrics": metrics, "webhooks": list(webhooks)},
        },
    }


class Mesh:
    """A cluster with everything that a rollout of `web` needs."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.cluster = Cluster(clock=self.clock, crds=True)

    @property
    def client(self) -> Client:
        return self.cluster.client("test")

    async def install(self, *webhooks: Obj) -> None:
        for namespace in ("istio-system", "weather"):
            await self.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        server = "-metrics-server=http://prometheus:9090"
        flagger = deployment("flagger", "istio-system", "ghcr.io/fluxcd/flagger:1.44.0", 8080, args=[server])
        tester = deployment("flagger-loadtester", "istio-system", "ghcr.io/fluxcd/flagger-loadtester:0.34.0", 8080)
        prometheus = deployment("prometheus", "istio-system", "quay.io/prometheus/prometheus:v3.5.0", 9090)
        for obj in (prometheus, service("prometheus", 9090, 9090), tester, service("flagger-loadtester", 80, 8080)):
            await self.client.create(obj)
        await self.client.create(flagger)
        await self.client.create(deployment("web", "weather", "ghcr.io/stefanprodan/podinfo:first", 9898, proxied=True))
        await self.clock.advance(5)
        await self.client.create(canary(*webhooks))
        await self.until("Initialized")

    async def push(self, image: str, **behaviour: float) -> None:
        self.cluster.traffic.behave(image, **behaviour)
        change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
        await self.client.patch("apps/v1", "Deployment", "web", "weather", change, type="strategic")
        await self.until("Progressing", "Waiting")

    async def until(self, *phases: str) -> Obj:
        """Let time pass until the Canary is in one of the phases; its status."""
        status: Obj = {}
        for _ in range(300):
            found = await self.client.get("flagger.app/v1beta1", "Canary", "web", "weather")
            status = (found or {}).get("status") or {}
            if status.get("phase") in phases:
                return status
            await self.clock.advance(1)
        raise AssertionError(f"the canary did not get to {phases}: {status}")

    async def weights(self) -> list[int]:
        found = await self.client.get("networking.istio.io/v1", "VirtualService", "web", "weather")
        assert found is not None
        return [destination["weight"] for destination in found["spec"]["http"][0]["route"]]

    async def messages(self, kind: str) -> list[str]:
        events = await self.client.list("v1", "Event", "weather")
        return [e["message"] for e in events if e["involvedObject"]["kind"] == "Canary" and e["type"] == kind]

    async def image(self) -> str:
        found = await self.client.get("apps/v1", "Deployment", "web-primary", "weather")
        assert found is not None
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture
async def mesh() -> AsyncIterator[Mesh]:
    made = Mesh()
    async with made.cluster:
        yield made


async def test_a_good_image_is_promoted(mesh: Mesh) -> None:
    """The numbers of the traffic model let it through, and the primary runs it."""
    await mesh.install()
    await mesh.push(GOOD)
    await mesh.until("Succeeded")
    assert await mesh.image() == GOOD
    assert await mesh.weights() == [100, 0]
    assert "Advance web.weather canary weight 60" in await mesh.messages("Normal")


async def test_an_image_with_errors_is_rolled_back(mesh: Mesh) -> None:
    """Its error rate shows in the failed checks, and the primary keeps what it had."""
    await mesh.install()
    await mesh.push(BAD, error_rate=0.3)
    await mesh.until("Failed")
    assert (await mesh.image()).endswith(":first")
    assert await mesh.weights() == [100, 0]
    warnings = await mesh.messages("Warning")
    assert "Halt web.weather advancement success rate 70.00% < 99%" in warnings
    assert "Rolling back web.weather failed checks threshold reached 3" in warnings


async def test_a_slow_image_is_rolled_back(mesh: Mesh) -> None:
    """Latency alone is enough."""
    await mesh.install()
    await mesh.push(SLOW, latency_p99=900)
    await mesh.until("Failed")
    assert "Halt web.weather advancement request duration 900ms > 500ms" in await mesh.messages("Warning")


async def test_a_gate_of_the_load_tester_holds_the_rollout(mesh: Mesh) -> None:
    """confirm-rollout waits for the gate, over the cluster's own network."""
    await mesh.install({"name": "gate", "type": "confirm-rollout", "url": f"{HOOK}/gate/check"})
    await mesh.push(GOOD)
    await mesh.clock.advance(60)
    assert (await mesh.until("Waiting"))["canaryWeight"] == 0
    who = {"name": "web", "namespace": "weather"}
    answer = await mesh.cluster.network.request("POST", f"{HOOK}/gate/open", json=who)
    assert answer.status_code == 202
    await mesh.until("Succeeded")


async def test_flagger_sleeps_with_its_deployment(mesh: Mesh) -> None:
    """Nothing moves while Flagger is scaled to zero, and everything goes on when it is back."""
    await mesh.install()
    await mesh.push(GOOD)
    await mesh.client.patch("apps/v1", "Deployment", "flagger", "istio-system", {"spec": {"replicas": 0}})
    await mesh.clock.advance(120)
    before = await mesh.until("Progressing")
    await mesh.client.patch("apps/v1", "Deployment", "flagger", "istio-system", {"spec": {"replicas": 1}})
    assert (await mesh.until("Succeeded"))["lastAppliedSpec"] == before["lastAppliedSpec"]


async def test_deleting_the_canary_takes_its_twins_along(mesh: Mesh) -> None:
    """Hazard: without revertOnDeletion the garbage collector removes what serves the traffic."""
    await mesh.install()
    await mesh.client.delete("flagger.app/v1beta1", "Canary", "web", "weather")
    await mesh.clock.advance(10)
    assert await mesh.client.get("apps/v1", "Deployment", "web-primary", "weather") is None
    assert await mesh.client.get("networking.istio.io/v1", "VirtualService", "web", "weather") is None
    target = await mesh.client.get("apps/v1", "Deployment", "web", "weather")
    assert target is not None
    assert target["spec"]["replicas"] == 0
