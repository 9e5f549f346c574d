"""A cluster in which Flagger's stand-in looks after one Canary, on virtual time."""

from typing import Any

import httpx

from sandbox.clock import VirtualClock
from sandbox.metrics import Page
from sandbox.network import Network
from sandbox.standins.flagger.operator import Operator
from sandbox.standins.flagger.options import Options
from sandbox.standins.flagger.recorder import Recorder
from tests.sandbox.fake_cluster import FakeClient, Obj


class World:
    """A cluster with one Deployment `web` and its Canary, a Prometheus with settable answers, and Flagger."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(self.clock)
        self.success, self.latency = 100.0, 120.0  # what Prometheus answers; NaN for no data
        self.closed: set[str] = set()  # paths of the gate that refuse
        self.status_of_closed = 403
        self.called: list[tuple[str, Obj]] = []
        self.queries: list[str] = []
        self.page = Page()
        self.network = Network()
        self.network.register("istio-system", "prometheus", 9090, self._prometheus)
        self.network.register("istio-system", "gate", 80, self._gate)
        options = Options(own_namespace="istio-system", metrics_server="http://prometheus:9090")
        client: Any = self.client
        self.flagger = Operator(client, self.clock, self.network, Recorder(self.page), options)

    async def install(self, *, provider: str | None = None, service: Obj | None = None, **analysis: Any) -> None:
        """Create target, autoscaler, config and Canary, and let it initialise."""
        await self.client.create(deployment())
        await self.client.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "settings", "namespace": "weather"},
                "data": {"a": "1"},
            }
        )
        await self.client.create(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "web", "namespace": "weather"},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                    "minReplicas": 2,
                    "maxReplicas": 4,
                },
            }
        )
        made = canary(service=service, **analysis)
        await self.client.create({**made, "spec": {**made["spec"], **({"provider": provider} if provider else {})}})
        await self.flagger.on_canary("ADDED", await self._canary())
        await self.tick()

    async def _canary(self) -> Any:
        return await self.flagger.world.canary("weather", "web")

    async def tick(self, times: int = 1) -> None:
        for _ in range(times):
            await self.flagger.tick("weather", "web")
            await self.clock.advance(10)

    async def push(self, image: str) -> None:
        change = {"spec": {"template": {"spec": {"containers": [{**container(), "image": image}]}}}}
        await self.client.patch("apps/v1", "Deployment", "web", "weather", change)

    def object(self, kind: str, name: str) -> Obj:
        return self.client.objects[kind, "weather", name]

    @property
    def status(self) -> Obj:
        found: Obj = self.object("Canary", "web")["status"]
        return found

    @property
    def condition(self) -> tuple[str, str]:
        condition = self.status["conditions"][0]
        return condition["status"], condition["reason"]

    @property
    def weights(self) -> tuple[int, int]:
        route = self.object("VirtualService", "web")["spec"]["http"][0]["route"]
        return route[0]["weight"], route[1]["weight"]

    def events(self, kind: str | None = None) -> list[str]:
        events = [obj for key, obj in self.client.objects.items() if key[0] == "Event"]
        return [event["message"] for event in events if kind in (None, event["type"])]

    async def _prometheus(self, scope: Any, receive: Any, send: Any) -> None:
        query = httpx.QueryParams(scope["query_string"].decode())["query"]
        self.queries.append(query)
        value = self.latency if "bucket" in query else 1.0 if query == "vector(1)" else self.success
        body = {
            "status": "success",
            "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(value)]}]},
        }
        await answer(send, httpx.Response(200, json=body))

    async def _gate(self, scope: Any, receive: Any, send: Any) -> None:
        document = (await receive())["body"]
        self.called.append((scope["path"], httpx.Response(200, content=document).json()))
        await answer(
            send, httpx.Response(self.status_of_closed if scope["path"] in self.closed else 200, text="Forbidden")
        )


async def answer(send: Any, response: httpx.Response) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": []})
    await send({"type": "http.response.body", "body": response.content})


def container() -> Obj:
    return {
        "name": "web",
        "image": "podinfo:1",
        "ports": [{"name": "http", "containerPort": 9898}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
    }


def deployment() -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "weather", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]}},
        },
    }


def canary(*, service: Obj | None = None, revert: bool = False, **analysis: Any) -> Obj:
    metrics = [
        {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
        {"name": "request-duration", "interval": "30s", "thresholdRange": {"max": 500}},
    ]
    defaults = {"interval": "10s", "threshold": 2, "stepWeight": 20, "maxWeight": 60, "metrics": metrics}
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "web", "namespace": "weather"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "web"},
            "service": {
                "port": 80,
                "targetPort": 9898,
                "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}},
                **(service or {}),
            },
            "progressDeadlineSeconds": 60,
            "revertOnDeletion": revert,
            "analysis": {**defaults, **analysis},
        },
    }


def hook(kind: str, path: str = "/check") -> dict[str, str]:
    return {"name": "gate", "type": kind, "url": f"http://gate.istio-system{path}"}
