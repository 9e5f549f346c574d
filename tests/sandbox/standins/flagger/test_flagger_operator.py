"""The process around the rollouts: objects it makes and gives back, jobs, metrics."""

import asyncio

from sandbox.standins.flagger.spec import Canary
from tests.sandbox.standins.flagger.world import World, canary, deployment


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


async def test_a_target_that_does_not_come_back_holds_up_the_deletion(world: World) -> None:
    """The finalizer stays until the target is ready; then the Service that was there before gets its pods back."""
    own = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "weather"}}
    await world.client.create({**own, "spec": {"selector": {"app": "web"}, "ports": []}})
    await world.install()
    world.object("Canary", "web")["spec"]["revertOnDeletion"] = True
    await world.flagger.on_canary("MODIFIED", await world._canary())
    world.client.stuck.add("web")
    world.object("Canary", "web")["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    await world.flagger.on_canary("MODIFIED", await world._canary())
    await world.clock.advance(120)
    assert world.object("Canary", "web")["metadata"]["finalizers"] == ["finalizer.flagger.app"]
    assert world.object("Service", "web")["spec"]["selector"] == {"app": "web-primary"}
    world.client.stuck.clear()
    await world.clock.advance(60)
    assert world.object("Canary", "web")["metadata"]["finalizers"] == []
    assert world.object("Service", "web")["spec"]["selector"] == {"app": "web"}


async def test_what_the_canary_says_of_its_service_is_on_service_and_virtual_service(world: World) -> None:
    """Labels of the apex Service go to the VirtualService too, the selector's among them."""
    await world.install(service={"apex": {"labels": {"team": "a"}}, "trafficDistribution": "PreferClose"})
    assert world.object("Service", "web")["metadata"]["labels"] == {"team": "a", "app": "web"}
    assert world.object("Service", "web")["spec"]["trafficDistribution"] == "PreferClose"
    assert world.object("VirtualService", "web")["metadata"]["labels"] == {"team": "a", "app": "web"}


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
