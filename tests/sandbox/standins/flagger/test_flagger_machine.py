"""The pure state machine of a Canary: what each phase does next."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.standins.flagger import effects, machine
from sandbox.standins.flagger.machine import Observation, Readiness, Routes, decide
from sandbox.standins.flagger.spec import Canary, duration_text, seconds
from sandbox.standins.flagger.status import Phase

Answers = Callable[[effects.Effect], str | None]


def canary(*, skip: bool = False, **analysis: Any) -> Canary:
    settings = {"interval": "10s", "threshold": 3, "stepWeight": 20, "maxWeight": 60, **analysis}
    spec = {"targetRef": {"kind": "Deployment", "name": "web"}, "service": {"port": 80}, "analysis": settings}
    return Canary({"metadata": {"name": "web", "namespace": "weather"}, "spec": {**spec, "skipAnalysis": skip}})


def hook(kind: str, name: str = "gate") -> dict[str, str]:
    return {"name": name, "type": kind, "url": "http://gate/"}


def play(script: effects.Script, answer: Answers = lambda _: None) -> list[effects.Effect]:
    """Run a script to its end."""
    done: list[effects.Effect] = []
    reply: str | None = None
    while True:
        try:
            effect = script.send(reply)
        except StopIteration:
            return done
        done.append(effect)
        reply = answer(effect)


def said(done: list[effects.Effect]) -> list[str]:
    return [effect.message for effect in done if isinstance(effect, effects.Say)]


def refuse(*types: type, reason: str = "no") -> Answers:
    return lambda effect: reason if isinstance(effect, types) else None


@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.SUCCEEDED])
def test_nothing_happens_without_a_change(phase: Phase) -> None:
    """A settled Canary whose target is as it was is left alone."""
    assert play(decide(canary(), Observation(phase))) == []


def test_a_changed_target_is_scaled_up() -> None:
    """The first tick after a change only scales the target up."""
    done = play(decide(canary(), Observation(Phase.SUCCEEDED, changed=True)))
    assert said(done) == ["New revision detected! Scaling up web.weather"]
    assert done[-2:] == [effects.Scale(up=True), effects.Sync(Phase.PROGRESSING)]


def test_the_first_step_runs_no_check() -> None:
    """From weight 0 the pre-rollout hooks are asked instead of the metrics."""
    wanted = canary(metrics=[{"name": "request-success-rate"}], webhooks=[hook("pre-rollout")])
    done = play(decide(wanted, Observation(Phase.PROGRESSING)))
    assert not [effect for effect in done if isinstance(effect, effects.Measure)]
    assert said(done)[0] == "Starting canary analysis for web.weather"
    assert said(done)[-1] == "Advance web.weather canary weight 20"


def test_the_last_weight_is_followed_by_promotion() -> None:
    """At maxWeight a passed check copies the template and enters Promoting."""
    done = play(decide(canary(), Observation(Phase.PROGRESSING, routes=Routes(40, 60))))
    assert said(done) == ["Copying web.weather template spec to web-primary.weather"]
    assert done[-2:] == [effects.Promote(), effects.Enter(Phase.PROMOTING)]


def test_a_failed_check_is_counted_and_the_weight_stays() -> None:
    """One failed check says why and moves nothing."""
    wanted = canary(metrics=[{"name": "request-success-rate", "thresholdRange": {"min": 99}}])
    seen = Observation(Phase.PROGRESSING, failed_checks=1, routes=Routes(80, 20))
    done = play(decide(wanted, seen), refuse(effects.Measure, reason="Halt web.weather advancement"))
    assert said(done) == ["Halt web.weather advancement"]
    assert done[-1] == effects.Count("failedChecks", 2)


def test_the_threshold_rolls_back_before_any_further_check() -> None:
    """Enough failed checks: everything to the primary, target to zero, Failed."""
    done = play(decide(canary(), Observation(Phase.PROGRESSING, failed_checks=3, routes=Routes(80, 20))))
    assert said(done) == [
        "Rolling back web.weather failed checks threshold reached 3",
        "Canary failed! Scaling down web.weather",
    ]
    assert effects.Route(100, 0) in done
    assert effects.Sync(Phase.FAILED) in done


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.WAITING_PROMOTION])
def test_a_further_revision_starts_again_from_nothing(phase: Phase) -> None:
    """Hazard: there is no queue; a push in flight throws away the weights reached."""
    done = play(decide(canary(), Observation(phase, changed=True, routes=Routes(40, 60))))
    assert said(done) == ["New revision detected! Restarting analysis for web.weather"]
    assert done[-2:] == [effects.Route(100, 0), effects.Sync(Phase.PROGRESSING)]


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.FINALISING])
def test_a_push_while_promoting_is_not_noticed(phase: Phase) -> None:
    """Hazard: pods that nobody analysed can take traffic until the next analysis."""
    seen = Observation(phase, changed=True, routes=Routes(40, 60))
    assert play(decide(canary(), seen)) == play(decide(canary(), Observation(phase, routes=Routes(40, 60))))


def test_a_failed_promotion_leaves_the_traffic_on_the_canary() -> None:
    """Hazard: Failed, and yet 100 % on the canary, since it is the only healthy copy."""
    broken = Readiness("web-primary.weather not ready: stuck", hopeless=True)
    done = play(decide(canary(), Observation(Phase.PROMOTING, primary=broken, routes=Routes(40, 60))))
    assert effects.Route(0, 100) in done
    assert effects.Sync(Phase.FAILED, weight=100) in done
    assert effects.Scale(up=False) not in done


def test_a_failed_canary_syncs_its_status_at_every_tick() -> None:
    """Hazard: the hash of a revision that arrives now is written before anything looks at it."""
    seen = Observation(Phase.FAILED, changed=True, primary=Readiness("not ready"))
    done = play(decide(canary(), seen))
    assert done[0] == effects.Sync(Phase.FAILED)
    assert said(done) == ["not ready"]


def test_confirm_rollout_holds_the_target_at_zero() -> None:
    """A closed gate means Waiting, said once; an open one lets the revision in."""
    wanted = canary(webhooks=[hook("confirm-rollout")])
    first = play(decide(wanted, Observation(Phase.SUCCEEDED, changed=True)), refuse(effects.Call))
    assert effects.Enter(Phase.WAITING) in first
    again = play(decide(wanted, Observation(Phase.WAITING)), refuse(effects.Call))
    assert said(again) == []
    opened = play(decide(wanted, Observation(Phase.WAITING)))
    assert said(opened)[0] == "Confirm-rollout check gate passed"
    assert effects.Sync(Phase.PROGRESSING) in opened


def test_confirm_traffic_increase_holds_the_weight() -> None:
    """A refused increase is no failed check."""
    wanted = canary(webhooks=[hook("confirm-traffic-increase")])
    done = play(decide(wanted, Observation(Phase.PROGRESSING, routes=Routes(80, 20))), refuse(effects.Call))
    assert said(done) == ["Halt web.weather advancement waiting for traffic increase approval gate"]
    assert not [effect for effect in done if isinstance(effect, effects.Route | effects.Count)]


def test_confirm_promotion_waits_at_the_last_weight() -> None:
    """The weights stay in the VirtualService while the status waits."""
    wanted = canary(webhooks=[hook("confirm-promotion")])
    done = play(decide(wanted, Observation(Phase.PROGRESSING, routes=Routes(40, 60))), refuse(effects.Call))
    assert effects.Enter(Phase.WAITING_PROMOTION) in done
    assert not [effect for effect in done if isinstance(effect, effects.Route)]
    opened = play(decide(wanted, Observation(Phase.WAITING_PROMOTION, iterations=-1, routes=Routes(40, 60))))
    assert opened[-1] == effects.Enter(Phase.PROMOTING)


def test_a_rollback_hook_that_approves_rolls_back() -> None:
    """Approval of a rollback hook ends the analysis."""
    wanted = canary(webhooks=[hook("rollback")])
    done = play(decide(wanted, Observation(Phase.PROGRESSING, routes=Routes(80, 20))))
    assert said(done)[:2] == ["Rollback check gate passed", "Rolling back web.weather manual webhook invoked"]
    assert effects.Sync(Phase.FAILED) in done


def test_step_weights_are_walked_in_order() -> None:
    """stepWeights lists absolute weights; the last one is where promotion starts."""
    steps = canary(stepWeight=0, maxWeight=0, stepWeights=[1, 10, 80]).analysis
    assert [steps.step_from(weight) for weight in (0, 1, 10, 80)] == [1, 9, 70, 20]
    assert steps.limit == 80


def test_step_weight_promotion_shifts_back_in_steps() -> None:
    """With stepWeightPromotion the primary gets its traffic back step by step."""
    wanted = canary(stepWeightPromotion=50)
    half = play(decide(wanted, Observation(Phase.PROMOTING, routes=Routes(40, 60))))
    assert said(half) == ["Advance web.weather primary weight 90"]
    assert half[-1] == effects.Count("canaryWeight", 10)
    whole = play(decide(wanted, Observation(Phase.PROMOTING, routes=Routes(90, 10))))
    assert whole[-1] == effects.Enter(Phase.FINALISING)


def test_blue_green_routes_everything_once_and_then_promotes() -> None:
    """Iterations of checks, one tick with all traffic on the canary, then promotion."""
    wanted = canary(iterations=2, stepWeight=0)
    first = play(decide(wanted, Observation(Phase.PROGRESSING)))
    assert said(first)[-1] == "Advance web.weather canary iteration 1/2"
    routed = play(decide(wanted, Observation(Phase.PROGRESSING, iterations=2)))
    assert said(routed) == ["Routing all traffic to canary"]
    assert routed[-1] == effects.Count("iterations", 3)
    promoted = play(decide(wanted, Observation(Phase.PROGRESSING, iterations=3, routes=Routes(0, 100))))
    assert promoted[-1] == effects.Enter(Phase.PROMOTING)


def test_an_ab_test_sends_what_matches_to_the_canary() -> None:
    """All requests that match go to the canary from the first iteration on."""
    wanted = canary(iterations=2, match=[{"headers": {"x-user": {"exact": "me"}}}])
    done = play(decide(wanted, Observation(Phase.PROGRESSING)))
    assert effects.Route(0, 100) in done
    assert effects.Count("iterations", 1) in done


def test_mirroring_comes_before_the_first_weight() -> None:
    """With mirror, one step copies requests before any user sees an answer of the canary."""
    wanted = canary(mirror=True)
    first = play(decide(wanted, Observation(Phase.PROGRESSING)))
    assert effects.Route(100, 0, mirrored=True) in first
    then = play(decide(wanted, Observation(Phase.PROGRESSING, routes=Routes(100, 0, mirrored=True))))
    assert effects.Route(80, 20) in then


def test_skipped_analysis_promotes_at_once() -> None:
    """skipAnalysis goes from the scaled-up target straight to Succeeded."""
    done = play(decide(canary(skip=True), Observation(Phase.PROGRESSING)))
    assert effects.Promote() in done
    assert effects.Enter(Phase.SUCCEEDED) in done
    assert said(done)[-1] == "Promotion completed! Canary analysis was skipped for web.weather"


observations = st.builds(
    Observation,
    phase=st.sampled_from(list(Phase)),
    failed_checks=st.integers(0, 5),
    iterations=st.integers(-1, 4),
    changed=st.booleans(),
    primary=st.sampled_from([machine.READY, Readiness("x"), Readiness("x", hopeless=True)]),
    canary=st.sampled_from([machine.READY, Readiness("y"), Readiness("y", hopeless=True)]),
    routes=st.sampled_from([Routes(), Routes(40, 60), Routes(100, 0, mirrored=True), Routes(problem="z")]),
    meshed=st.booleans(),
)
canaries = st.sampled_from(
    [
        canary(),
        canary(skip=True),
        canary(iterations=3),
        canary(iterations=3, match=[{}]),
        canary(mirror=True, stepWeightPromotion=30),
        canary(webhooks=[hook(kind) for kind in ("confirm-rollout", "confirm-promotion", "rollback", "post-rollout")]),
    ]
)


@given(wanted=canaries, seen=observations, passes=st.booleans())
def test_every_situation_has_an_answer_within_the_table(wanted: Canary, seen: Observation, passes: bool) -> None:
    """Whatever is seen, the script ends, and a phase is only left along TRANSITIONS."""
    done = play(decide(wanted, seen), lambda _: None if passes else "no")
    moves = [effect.phase for effect in done if isinstance(effect, effects.Enter | effects.Sync)]
    assert len([move for move in moves if move != seen.phase]) <= 1
    for move in moves:
        assert move == seen.phase or (seen.phase, move) in machine.TRANSITIONS


@pytest.mark.parametrize(("milliseconds", "text"), [(0, "0s"), (900, "900ms"), (1500, "1.5s"), (90_000, "1m30s")])
def test_durations_print_as_go_prints_them(milliseconds: int, text: str) -> None:
    """Messages carry durations that tools parse, and they parse back."""
    assert duration_text(milliseconds) == text
    assert seconds(text) == milliseconds / 1000
