"""The rollout decision held against a Flagger that really walks its state machine, tick by tick.

Two invariants hold in every story: the decision is never early (nothing is done while Flagger still works on my
revision), and what it says at the end is what the routes and the primary show.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from meshflow.mesh import canary, observation, timeline
from meshflow.mesh.canary import Decision, Release, RolloutObservation
from meshflow.mesh.timeline import StepKind
from meshflow.mesh.witness import Witness
from meshflow.release.outcome import Outcome
from tests.sandbox.standins.flagger.world import World, container, hook

Obj = dict[str, Any]
IMAGE = "ghcr.io/weather/web@sha256:" + "b" * 64
OTHER = "ghcr.io/weather/web@sha256:" + "c" * 64
WORKING = {"Progressing", "Waiting", "WaitingPromotion", "Promoting", "Finalising"}


class Follower:
    """A release of `web`, followed as the trigger does it: look, decide, keep the timeline."""

    def __init__(self, world: World, release: Release) -> None:
        self.world, self.release = world, release
        self.timeline: tuple[timeline.Step, ...] = ()
        self.decisions: list[Decision] = []
        self.witness = Witness()

    def look(self) -> Decision:
        seen, now = self._seen(), self.world.clock.now()
        self.witness.look(seen, release=self.release, now=now)
        sights = self.witness.sights
        told = [step for step in self.timeline if step not in {sight.step for sight in sights}]
        found = canary.decide(seen, release=self.release, now=now, known=told, sights=sights)
        self.timeline = found.timeline
        self.decisions.append(found)
        return found

    async def follow(self, ticks: int = 30) -> Decision:
        """Tick until the release is done; the last decision if it never is."""
        for _ in range(ticks):
            found = self.look()
            if found.done:
                return found
            await self.world.tick()
        return self.look()

    def _seen(self) -> RolloutObservation:
        objects = self.world.client.objects

        def get(kind: str, name: str) -> Obj | None:
            return objects.get((kind, "weather", name))

        events = tuple(obj for key, obj in objects.items() if key[0] == "Event")
        return RolloutObservation(
            get("Canary", "web"),
            get("VirtualService", "web"),
            get("Deployment", "web"),
            get("Deployment", "web-primary"),
            events,
        )


async def release(world: World, image: str = IMAGE, *, release_id: str = "r1") -> Follower:
    """Write the image and the release's id, as the rollout does."""
    before = observation.before(world.client.objects.get(("Canary", "weather", "web")))
    template = {
        "metadata": {"annotations": {observation.RELEASE_ID: release_id}},
        "spec": {"containers": [{**container(), "image": image}]},
    }
    written = await world.client.patch("apps/v1", "Deployment", "web", "weather", {"spec": {"template": template}})
    generation = written["metadata"]["generation"]
    return Follower(
        world,
        Release("web", "weather", image, release_id, world.clock.now(), generation=generation, **before),
    )


def primary_image(world: World) -> str:
    return str(world.object("Deployment", "web-primary")["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.network.close()


@pytest.mark.parametrize(
    "analysis",
    [
        {},
        {"stepWeight": 5, "maxWeight": 60},
        {"iterations": 3},
        {"iterations": 3, "match": [{"headers": {"x": {"exact": "1"}}}]},
        {"sessionAffinity": {"cookieName": "flagger"}},
        {"mirror": True},
        {"iterations": 3, "mirror": True},
        {"stepWeights": [1, 10, 80], "maxWeight": None, "stepWeight": None},
        {"stepWeightPromotion": 20},
    ],
    ids=[
        "canary",
        "canary of many steps",
        "blue/green",
        "a/b",
        "session affinity",
        "mirrored",
        "mirrored blue/green",
        "uneven steps",
        "promoted in steps",
    ],
)
async def test_a_good_release_succeeds_when_and_only_when_the_primary_serves_it(world, analysis):
    await world.install(**analysis)
    follower = await release(world)
    found = await follower.follow()
    assert found.outcome is Outcome.SUCCEEDED, found
    assert world.status["phase"] == "Succeeded"
    assert primary_image(world) == IMAGE
    assert found.weights is not None
    assert found.weights.canary == 0


async def test_every_weight_step_is_on_the_timeline_also_of_a_rollout_with_many(world):
    """More than ten messages are folded into one Event: only who merges over time sees them all."""
    await world.install(stepWeight=5, maxWeight=60)
    follower = await release(world)
    await follower.follow()
    weights = [step.value for step in follower.timeline if step.kind is StepKind.WEIGHT]
    assert weights == [*range(5, 65, 5), 0]


async def test_a_bad_release_is_rolled_back_with_the_number_that_failed(world):
    await world.install()
    follower = await release(world)
    world.success = 69.174
    found = await follower.follow()
    assert found.outcome is Outcome.ROLLED_BACK
    assert "request-success-rate was 69.17% against 99% (2 failed checks)" in found.message
    assert primary_image(world) != IMAGE
    assert world.weights == (100, 0)


async def silence(world: World) -> None:
    """So much is said about the Canary that further events of both types are lost."""
    found = await world.flagger.world.canary("weather", "web")
    for number in range(60):
        await world.flagger.say(found, "chatter", warning=bool(number % 2))


async def test_what_no_event_tells_is_on_the_timeline_all_the_same(world):
    await world.install()
    await silence(world)
    follower = await release(world)
    assert (await follower.follow()).outcome is Outcome.SUCCEEDED
    told = [(step.kind, step.value) for step in follower.timeline if step.message != "chatter"]
    weights = [(StepKind.WEIGHT, weight) for weight in (20, 40, 60)]
    assert told == [(StepKind.DETECTED, None), *weights]


async def test_a_bad_release_whose_events_are_lost_still_says_how_many_checks_failed(world):
    await world.install()
    await silence(world)
    follower = await release(world)
    world.success = 50.0
    found = await follower.follow()
    assert found.outcome is Outcome.ROLLED_BACK
    assert "because 2 of 2 checks failed, and the event that says why was lost (2 failed checks)" in found.message


async def test_nothing_is_told_twice(world):
    """What an event tells shows in the objects too."""
    await world.install()
    follower = await release(world)
    world.success = 50.0
    await follower.follow()
    kinds = [step.kind for step in follower.timeline]
    assert [kinds.count(kind) for kind in (StepKind.DETECTED, StepKind.WEIGHT, StepKind.FAILED_CHECK)] == [1, 1, 2]
    assert "was lost" not in follower.decisions[-1].message


async def test_a_release_that_replaced_an_analysis_ends_though_no_event_says_that_it_was_seen(world):
    await world.install()
    await release(world)
    await world.tick(3)
    await silence(world)
    second = await release(world, OTHER, release_id="r2")
    world.success = 50.0
    assert (await second.follow()).outcome is Outcome.ROLLED_BACK


async def test_a_slow_release_is_rolled_back_with_its_milliseconds(world):
    await world.install()
    follower = await release(world)
    world.latency = 1500.0
    found = await follower.follow()
    assert found.outcome is Outcome.ROLLED_BACK
    assert "request-duration was 1500ms against 500ms" in found.message


async def test_a_release_that_nobody_calls_is_rolled_back_for_want_of_data(world):
    await world.install()
    follower = await release(world)
    world.success = float("nan")
    found = await follower.follow()
    assert found.outcome is Outcome.ROLLED_BACK
    assert "no values found" in found.message


async def test_pods_that_never_get_ready_are_rolled_back(world):
    await world.install()
    world.client.stuck.add("web")
    found = await (await release(world)).follow()
    assert found.outcome is Outcome.ROLLED_BACK
    assert "not ready" in found.message


async def spec(world: World, **changes: Any) -> None:
    """Change the Canary's spec, as a person does."""
    await world.client.patch("flagger.app/v1beta1", "Canary", "web", "weather", {"spec": changes})


async def test_a_promotion_that_nobody_analyses_waits_for_the_primary(world):
    """With skipAnalysis Flagger says Succeeded as soon as the template is copied."""
    await world.install()
    await spec(world, skipAnalysis=True)
    world.client.stuck.add("web-primary")
    follower = await release(world)
    waiting = await follower.follow(4)
    assert world.status["phase"] == "Succeeded"
    assert waiting.outcome is None
    assert "do not serve yet" in waiting.message
    world.client.stuck.clear()
    await world.client.patch("apps/v1", "Deployment", "web-primary", "weather", {"metadata": {"labels": {"a": "b"}}})
    found = await follower.follow()
    assert found.outcome is Outcome.SUCCEEDED
    assert "skips the analysis" in found.message


async def test_a_canary_that_is_suspended_in_the_middle_ends_wedged(world):
    await world.install()
    follower = await release(world)
    await world.tick(3)
    await spec(world, suspend=True, progressDeadlineSeconds=60)
    found = await follower.follow()
    assert found.outcome is Outcome.WEDGED
    assert "being analysed" in found.message


async def test_an_image_that_a_person_sets_meanwhile_supersedes_mine(world):
    await world.install()
    follower = await release(world)
    await world.tick(3)
    await world.push("ghcr.io/weather/web:hotfix")
    assert (await follower.follow()).outcome is Outcome.SUPERSEDED


async def test_a_rollback_by_a_person_blames_no_check(world):
    await world.install(webhooks=[hook("rollback")])
    follower = await release(world)
    world.closed.add("/check")
    await world.tick(2)
    world.success = 50.0
    await world.tick()
    world.closed.clear()
    found = await follower.follow()
    assert found.outcome is Outcome.ROLLED_BACK
    assert "manual webhook invoked" in found.message


async def test_a_promotion_that_fails_is_told_from_a_rollback(world):
    await world.install()
    follower = await release(world)
    world.client.stuck.add("web-primary")
    found = await follower.follow()
    assert found.outcome is Outcome.FAILED_ON_CANARY
    assert world.weights == (0, 100)


async def test_a_release_that_waits_for_a_person_shows_the_real_split(world):
    world.closed.add("/check")
    await world.install(webhooks=[hook("confirm-promotion")])
    follower = await release(world)
    waiting = await follower.follow(12)
    assert waiting.asking
    assert waiting.weights is not None
    assert waiting.weights.canary == 60
    assert world.status["canaryWeight"] == 0
    world.closed.clear()
    assert (await follower.follow()).outcome is Outcome.SUCCEEDED


async def test_a_later_push_supersedes_the_one_that_is_analysed(world):
    await world.install()
    first = await release(world)
    await world.tick(3)
    second = await release(world, OTHER, release_id="r2")
    assert first.look().outcome is Outcome.SUPERSEDED
    assert (await second.follow()).outcome is Outcome.SUCCEEDED


async def test_a_push_during_promotion_does_not_take_the_success_away(world):
    await world.install()
    first = await release(world)
    while world.status["phase"] != "Promoting":
        await world.tick()
    second = await release(world, OTHER, release_id="r2")
    assert not first.look().done
    assert (await first.follow()).outcome is Outcome.SUCCEEDED
    assert (await second.follow()).outcome is Outcome.SUCCEEDED
    assert primary_image(world) == OTHER


async def test_the_same_digest_is_analysed_again_by_a_new_release(world):
    """Flagger starts nothing for the template that is promoted; the release's id makes it a new one."""
    await world.install()
    assert (await (await release(world)).follow()).outcome is Outcome.SUCCEEDED
    again = await release(world, release_id="r2")
    world.success = 50.0
    assert (await again.follow()).outcome is Outcome.ROLLED_BACK


async def test_a_release_after_a_failed_one_does_not_inherit_its_verdict(world):
    await world.install()
    world.success = 50.0
    assert (await (await release(world)).follow()).outcome is Outcome.ROLLED_BACK
    await world.tick(3)
    world.success = 100.0
    second = await release(world, OTHER, release_id="r2")
    assert not second.look().done
    assert (await second.follow()).outcome is Outcome.SUCCEEDED


async def test_a_swallowed_revision_is_wedged_and_not_called_rolled_back(world):
    """A push that meets Failed while the primary is not ready counts as applied, and is never analysed."""
    await world.install()
    world.success = 50.0
    await (await release(world)).follow()
    world.success = 100.0
    world.object("Deployment", "web-primary")["status"]["updatedReplicas"] = 1
    swallowed = await release(world, OTHER, release_id="r2")
    await world.tick()
    world.object("Deployment", "web-primary")["status"]["updatedReplicas"] = 2
    found = await swallowed.follow()
    assert found.outcome is Outcome.WEDGED
    assert "notice" in found.message


async def test_the_first_installation_ends_when_the_primary_is_there(world):
    await world.install()
    target = world.object("Deployment", "web")["spec"]["template"]
    primary = world.object("Deployment", "web-primary")["spec"]["template"]
    for template in (target, primary):
        template["spec"]["containers"][0]["image"] = IMAGE
        template.setdefault("metadata", {}).setdefault("annotations", {})[observation.RELEASE_ID] = "r1"
    follower = Follower(world, Release("web", "weather", IMAGE, "r1", world.clock.now()))
    assert follower.look().outcome is Outcome.SUCCEEDED


async def test_nothing_is_called_done_while_flagger_works_on_it(world):
    await world.install(webhooks=[hook("confirm-promotion")])
    follower = await release(world)
    while not follower.decisions or not follower.decisions[-1].done:
        phase = world.status["phase"]
        assert not (follower.look().done and phase in WORKING)
        await world.tick()
