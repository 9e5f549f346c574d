"""What surprises people about Flagger, and the stand-in does as well."""

from tests.sandbox.standins.flagger.world import World, hook


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


async def test_many_different_events_are_combined(world: World) -> None:
    """Hazard: like client-go, from the tenth message of a type in ten minutes on, new ones share one event."""
    await world.install()
    for number in range(12):
        await world.flagger.say(await world._canary(), f"problem {number}", warning=True)
    warnings = world.events("Warning")
    assert len(warnings) == 10
    assert warnings[-1] == "(combined from similar events): problem 11"


async def test_events_after_the_twenty_fifth_are_lost(world: World) -> None:
    """Hazard: one more of its type gets through every five minutes, and shows by its count how many there were."""
    await world.install()
    for _ in range(40):
        await world.flagger.say(await world._canary(), "the same again", warning=True)
    (written,) = [obj for key, obj in world.client.objects.items() if key[0] == "Event" and obj["type"] == "Warning"]
    assert written["count"] == 25
    await world.clock.advance(301)
    await world.flagger.say(await world._canary(), "the same again", warning=True)
    assert world.object("Event", written["metadata"]["name"])["count"] == 41
    await world.flagger.say(await world._canary(), "something else", warning=True)
    assert world.events("Warning") == ["the same again"]
