"""Flagger's stand-in from end to end, on virtual time: objects it makes, weights it moves, events it writes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.clock import VirtualClock
from sandbox.metrics import Page
from sandbox.network import Network
from sandbox.standins.flagger.operator import Operator
from sandbox.standins.flagger.options import Options
from sandbox.standins.flagger.recorder import Recorder
from sandbox.standins.flagger.spec import Canary
from tests.sandbox.fake_cluster import FakeClient, Obj


class World:
    """A cluster with one Deployment `web` and its Canary, a Prometheus with settable answers, and Flagger."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(self.clock)
        self.success, self.latency = 100.0, 120.0  # what Prometheus answers; NaN for no data
        self.closed: set[str] = set()  # paths of the gate that refuse
        self.called: list[tuple[str, Obj]] = []
        self.queries: list[str] = []
        self.page = Page()
        self.network = Network()
        self.network.register("istio-system", "prometheus", 9090, self._prometheus)
        self.network.register("istio-system", "gate", 80, self._gate)
        options = Options(own_namespace="istio-system", metrics_server="http://prometheus:9090")
        client: Any = self.client
        self.flagger = Operator(client, self.clock, self.network, Recorder(self.page), options)

    async def install(self, **analysis: Any) -> None:
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
        await self.client.create(canary(**analysis))
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
        await answer(send, httpx.Response(403 if scope["path"] in self.closed else 200, text="Forbidden"))


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


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.network.close()


async def test_initialisation_makes_the_twins_and_scales_the_target_to_zero(world: World) -> None:
    """After the first tick the primary serves behind every name, and nothing was analysed."""
    await world.install()
    primary = world.object("Deployment", "web-primary")
    assert primary["spec"]["selector"]["matchLabels"] == {"app": "web-primary"}
    assert (
        primary["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"] == "settings-primary"
    )
    assert primary["metadata"]["ownerReferences"][0]["kind"] == "Canary"
    assert world.object("Deployment", "web")["spec"]["replicas"] == 0
    selectors = {
        name: world.object("Service", name)["spec"]["selector"]["app"] for name in ("web", "web-primary", "web-canary")
    }
    assert selectors == {"web": "web-primary", "web-primary": "web-primary", "web-canary": "web"}
    assert world.object("HorizontalPodAutoscaler", "web-primary")["spec"]["scaleTargetRef"]["name"] == "web-primary"
    assert world.object("DestinationRule", "web-canary")["spec"]["trafficPolicy"]["tls"]["mode"] == "ISTIO_MUTUAL"
    assert world.object("VirtualService", "web")["apiVersion"] == "networking.istio.io/v1beta1"
    assert world.weights == (100, 0)
    assert world.status["phase"] == "Initialized"
    assert world.condition == ("True", "Initialized")
    assert world.status["lastAppliedSpec"] == world.status["lastPromotedSpec"] != ""
    assert list(world.status["trackedConfigs"]) == ["configmap/settings"]
    assert world.events()[-1] == "Initialization done! web.weather"


async def test_a_settled_canary_is_not_written_to(world: World) -> None:
    """Ticks without a change make no write at all."""
    await world.install()
    await world.tick()
    before = world.client._version
    await world.tick(5)
    assert world.client._version == before


async def test_a_good_revision_is_promoted(world: World) -> None:
    """Weights climb by stepWeight to maxWeight, then the primary gets the template, and traffic with it."""
    await world.install()
    await world.push("podinfo:2")
    seen = []
    for _ in range(9):
        await world.tick()
        seen.append((world.status["phase"], world.weights, world.status["canaryWeight"]))
    assert seen == [
        ("Progressing", (100, 0), 0),
        ("Progressing", (80, 20), 20),
        ("Progressing", (60, 40), 40),
        ("Progressing", (40, 60), 60),
        ("Promoting", (40, 60), 60),
        ("Finalising", (100, 0), 0),
        ("Succeeded", (100, 0), 0),
        ("Succeeded", (100, 0), 0),
        ("Succeeded", (100, 0), 0),
    ]
    assert (
        world.object("Deployment", "web-primary")["spec"]["template"]["spec"]["containers"][0]["image"] == "podinfo:2"
    )
    assert world.object("Deployment", "web")["spec"]["replicas"] == 0
    assert world.condition == ("True", "Succeeded")
    assert world.status["lastPromotedSpec"] == world.status["lastAppliedSpec"]
    expected = ["Advance web.weather canary weight 20", "Promotion completed! Scaling down web.weather"]
    assert set(expected) <= set(world.events("Normal"))


async def test_a_bad_revision_is_rolled_back_with_its_numbers(world: World) -> None:
    """Failed checks up to the threshold end in Failed, on the primary, and the events say why."""
    await world.install()
    await world.push("podinfo:bad")
    await world.tick(2)
    world.success = 69.174
    await world.tick(3)
    assert world.status["phase"] == "Failed"
    assert world.condition == ("False", "Failed")
    assert world.weights == (100, 0)
    assert world.object("Deployment", "web")["spec"]["replicas"] == 0
    assert world.events("Warning") == [
        "Halt web.weather advancement success rate 69.17% < 99%",
        "Rolling back web.weather failed checks threshold reached 2",
        "Canary failed! Scaling down web.weather",
    ]


async def test_slow_answers_fail_the_duration_check(world: World) -> None:
    """Latency is compared in milliseconds and printed as a duration."""
    await world.install()
    await world.push("podinfo:slow")
    await world.tick(2)
    world.latency = 1500.7
    await world.tick()
    assert world.events("Warning") == ["Halt web.weather advancement request duration 1.5s > 500ms"]


async def test_no_data_is_a_failed_check(world: World) -> None:
    """A canary that nobody calls does not advance."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(2)
    world.success = float("nan")
    await world.tick()
    assert world.status["failedChecks"] == 1
    assert "no values found for istio metric request-success-rate" in world.events("Warning")[0]


async def test_queries_name_the_target_and_the_window(world: World) -> None:
    """The built-in query selects the destination's proxies of the target, over the metric's interval."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(3)
    query = next(query for query in world.queries if query.startswith("sum("))
    assert 'destination_workload_namespace="weather",destination_workload=~"web"' in query
    assert "[60s]" in query


async def test_a_promotion_that_fails_keeps_the_canary(world: World) -> None:
    """Hazard: phase Failed with all traffic on the canary, which stays up."""
    await world.install()
    await world.push("podinfo:2")
    world.client.stuck.add("web-primary")
    await world.tick(5)
    assert world.status["phase"] == "Promoting"
    await world.tick(8)
    assert world.status["phase"] == "Failed"
    assert world.weights == (0, 100)
    assert world.status["canaryWeight"] == 100
    assert world.object("Deployment", "web")["spec"]["replicas"] == 2


async def test_waiting_for_promotion_shows_weight_zero(world: World) -> None:
    """Hazard: the status says 0 while the VirtualService still splits."""
    world.closed.add("/check")
    await world.install(webhooks=[hook("confirm-promotion")])
    await world.push("podinfo:2")
    await world.tick(5)
    assert world.status["phase"] == "WaitingPromotion"
    assert world.status["canaryWeight"] == 0
    assert world.weights == (40, 60)
    world.closed.clear()
    await world.tick()
    assert world.status["phase"] == "Promoting"


async def test_going_back_to_the_promoted_spec_starts_nothing(world: World) -> None:
    """Hazard: the same template again is no new revision, whatever failed in between."""
    await world.install()
    await world.push("podinfo:bad")
    await world.tick(2)
    world.success = 0
    await world.tick(3)
    await world.push("podinfo:1")
    await world.tick(3)
    assert world.status["phase"] == "Failed"


async def test_a_revision_can_be_swallowed_in_phase_failed(world: World) -> None:
    """Hazard: a push that meets Failed while the primary is not ready counts as applied, and is never analysed."""
    await world.install()
    await world.push("podinfo:bad")
    await world.tick(2)
    world.success = 0
    await world.tick(3)
    world.success = 100
    world.object("Deployment", "web-primary")["status"]["updatedReplicas"] = 1
    await world.push("podinfo:3")
    await world.tick()
    world.object("Deployment", "web-primary")["status"]["updatedReplicas"] = 2
    await world.tick(3)
    assert world.status["phase"] == "Failed"


async def test_a_changed_config_is_a_new_revision(world: World) -> None:
    """ConfigMaps that the pods read are part of the revision, and reach the primary by promotion only."""
    await world.install()
    await world.client.patch("v1", "ConfigMap", "settings", "weather", {"data": {"a": "2"}})
    await world.tick()
    assert world.status["phase"] == "Progressing"
    assert world.object("ConfigMap", "settings-primary")["data"] == {"a": "1"}
    await world.tick(4)
    assert world.object("ConfigMap", "settings-primary")["data"] == {"a": "2"}


async def test_a_canary_that_never_gets_ready_meets_its_deadline(world: World) -> None:
    """A target that stays unavailable beyond progressDeadlineSeconds is rolled back."""
    await world.install()
    world.client.stuck.add("web")
    await world.push("podinfo:crash")
    await world.tick(4)
    assert world.status["phase"] == "Progressing"
    assert "canary deployment web.weather not ready" in world.events("Warning")[0]
    await world.tick(6)
    assert world.status["phase"] == "Failed"


async def test_hooks_get_name_phase_and_checksum(world: World) -> None:
    """Hooks can tell the revision by a checksum; event hooks hear every event with its type and time."""
    await world.install(webhooks=[hook("pre-rollout", "/pre"), hook("event", "/event")])
    await world.push("podinfo:2")
    await world.tick(2)
    (document,) = [document for path, document in world.called if path == "/pre"]
    assert (document["name"], document["phase"]) == ("web", "Progressing")
    assert document["checksum"]
    event = world.called[-1][1]
    assert event["metadata"]["eventMessage"] == "Advance web.weather canary weight 20"
    assert event["metadata"]["eventType"] == "Normal"
    assert int(event["metadata"]["timestamp"]) > 1_000_000_000_000


async def test_a_suspended_canary_stands_still(world: World) -> None:
    """suspend stops ticks, also in the middle of an analysis."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(2)
    await world.client.patch("", "Canary", "web", "weather", {"spec": {"suspend": True}})
    await world.tick(3)
    assert world.weights == (80, 20)


async def test_deletion_gives_the_target_back(world: World) -> None:
    """With revertOnDeletion the target gets its pods back before the Canary goes."""
    await world.client.create({**canary(revert=True), "metadata": {"name": "web", "namespace": "weather"}})
    await world.client.create(deployment())
    await world.client.create({"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "weather"}})
    await world.client.create(
        {
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": "weather"},
            "spec": {"scaleTargetRef": {}},
        }
    )
    await world.flagger.on_canary("ADDED", await world._canary())
    await world.tick()
    assert world.object("Canary", "web")["metadata"]["finalizers"] == ["finalizer.flagger.app"]
    world.object("Canary", "web")["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    await world.flagger.on_canary("MODIFIED", await world._canary())
    await world.clock.advance(10)
    assert world.object("Deployment", "web")["spec"]["replicas"] == 2
    assert world.object("Canary", "web")["metadata"]["finalizers"] == []
    assert world.events()[-2:] == ["Terminating canary web.weather", "Terminated canary web.weather"]


async def test_jobs_tick_at_the_interval_of_their_canary(world: World) -> None:
    """The process finds Canaries by watch and ticks them without anyone's help."""
    await world.client.create(deployment())
    await world.client.create({"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "weather"}})
    await world.client.create(canary(metrics=[]))
    del world.client.objects["Canary", "weather", "web"]["spec"]["autoscalerRef"]
    running = asyncio.create_task(world.flagger.run())
    await world.clock.advance(25)
    await world.push("podinfo:2")
    await world.clock.advance(100)
    running.cancel()
    assert world.status["phase"] == "Succeeded"


async def test_many_different_events_are_combined(world: World) -> None:
    """Hazard: like client-go, more than ten messages of a type in ten minutes share one event."""
    await world.install()
    for number in range(12):
        await world.flagger.say(await world._canary(), f"problem {number}", warning=True)
    warnings = world.events("Warning")
    assert len(warnings) == 11
    assert warnings[-1] == "(combined from similar events): problem 11"


async def test_flagger_shows_status_and_weights_in_its_metrics(world: World) -> None:
    """flagger_canary_status and flagger_canary_weight follow the rollout."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(4)
    samples = {(s.name, *dict(s.labels).values()): s.value for s in world.page.samples()}
    assert samples["flagger_canary_status", "web", "weather"] == 0
    assert samples["flagger_canary_weight", "weather", "web"] == 60
    assert samples["flagger_canary_metric_analysis", "request-success-rate", "web", "weather"] == 100


async def test_a_canary_that_cannot_be_read_harms_no_other(world: World) -> None:
    """A duration that is none ends neither the watch nor the jobs of the others."""
    broken = canary(metrics=[{"name": "request-duration", "interval": "soon"}])
    broken["metadata"]["name"] = "broken"
    await world.client.create(broken)
    await world.install()
    await world.flagger.on_canary("ADDED", Canary(broken))
    world.flagger.schedule()
    await world.clock.advance(1)
    assert list(world.flagger._jobs) == [("weather", "web")]
    world.flagger._jobs["weather", "web"][1].cancel()
