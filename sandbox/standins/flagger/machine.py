"""The state machine of a Canary, without any I/O.

One tick of Flagger is one *script*: a generator that yields effects (effects.py) and is sent their answers. It starts
from what was seen at the tick's beginning, as the real one does, so what it decides can be stale by the time it acts:
that is where several of the hazards come from.

    Initializing ─► Initialized ─┐
                                 │ the target changed
      Succeeded, Failed ─────────┤
                                 ▼            refused
                        (confirm-rollout) ──────────► Waiting
                                 │ passed        ◄────── asked again each tick
                                 ▼
      a further revision ──► Progressing ── checks pass: next weight or iteration ──┐
      (from weight 0)            │   ▲──────────────────────────────────────────────┘
                                 │   └─ WaitingPromotion ◄── confirm-promotion refused at the end
       failed checks ≥ threshold │ last weight or iteration passed
       deadline, rollback hook   ▼
        Failed ◄────────────── Promoting ── primary rolled out ─► Finalising ─► Succeeded
          ▲                      │ primary not ready within its deadline
          └──────────────────────┘ (all traffic stays on the canary)

`TRANSITIONS` is this picture as a table; a test walks the machine and finds no other. Not checked while Promoting and
Finalising: whether the target changed once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sandbox.standins.flagger.effects import (
    Asking,
    Call,
    Count,
    Enter,
    Finished,
    Measure,
    Promote,
    Route,
    Say,
    Scale,
    Script,
    Sync,
    SyncAutoscaler,
    Weigh,
)
from sandbox.standins.flagger.spec import Canary, HookType, Strategy
from sandbox.standins.flagger.status import IN_FLIGHT, Phase

_RESTS = (Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED)
_ANALYSED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
_PROMOTES = (Phase.PROMOTING, Phase.FINALISING)

ROUNDS_WITHOUT_MESH = 10  # of a Canary that asks for weights where nothing can shift traffic

TRANSITIONS: frozenset[tuple[Phase, Phase]] = frozenset(
    {(rest, to) for rest in (*_RESTS, Phase.WAITING) for to in (Phase.WAITING, Phase.PROGRESSING)}
    | {(phase, Phase.PROGRESSING) for phase in _ANALYSED}
    | {(Phase.PROGRESSING, Phase.WAITING_PROMOTION)}
    | {(phase, Phase.PROMOTING) for phase in _ANALYSED}
    | {(Phase.PROMOTING, Phase.FINALISING), (Phase.FINALISING, Phase.SUCCEEDED)}
    | {(phase, Phase.SUCCEEDED) for phase in (*_ANALYSED, Phase.PROMOTING)}  # skipAnalysis
    | {(phase, Phase.FAILED) for phase in (*_RESTS, *IN_FLIGHT)}
)


class Readiness(NamedTuple):
    """Whether a Deployment is rolled out. `problem` is None when it is; hopeless when waiting does not help."""

    problem: str | None = None
    hopeless: bool = False


class Routes(NamedTuple):
    """What the VirtualService says; `problem` when it says nothing usable."""

    primary: int = 100
    canary: int = 0
    mirrored: bool = False
    problem: str | None = None


READY = Readiness()
ON_PRIMARY = Routes()


@dataclass(frozen=True)
class Observation:
    """What was seen at the beginning of a tick."""

    phase: Phase
    failed_checks: int = 0
    weight: int = 0
    iterations: int = 0
    changed: bool = False  # the target or a tracked config differs from what was last applied (and promoted)
    primary: Readiness = READY
    canary: Readiness = READY
    routes: Routes = ON_PRIMARY
    meshed: bool = True  # False for the provider `kubernetes`, which cannot shift traffic


def decide(canary: Canary, seen: Observation) -> Script:
    """The script of one tick; empty for a Canary that is not initialized yet or is being deleted."""
    if seen.phase not in (*_RESTS, *IN_FLIGHT):
        return
    if seen.phase == Phase.FAILED:
        yield Sync(Phase.FAILED, seen.weight, seen.failed_checks, seen.iterations)
    if seen.phase not in IN_FLIGHT and not seen.changed:
        return
    if seen.primary.problem and not canary.skips_analysis:
        yield from _primary_is_not_ready(canary, seen)
        return
    if seen.routes.problem:
        yield Say(seen.routes.problem, warning=True)
        return
    yield Weigh(seen.routes.primary, seen.routes.canary)
    if seen.phase not in (*_ANALYSED, *_PROMOTES):
        yield from _begin(canary, seen)
    elif seen.phase in _ANALYSED and seen.changed:
        yield from _begin_again(canary)
    elif seen.canary.problem:
        yield Say(seen.canary.problem, warning=True)
        if seen.canary.hopeless:
            yield from roll_back(canary, seen)
    elif canary.skips_analysis:
        yield from _promote_unseen(canary)
    else:
        yield from _STEPS[seen.phase](canary, seen)


def roll_back(canary: Canary, seen: Observation) -> Script:
    """All traffic to the primary, the target to zero, Failed."""
    if seen.failed_checks >= canary.analysis.threshold:
        yield Say(f"Rolling back {canary} failed checks threshold reached {seen.failed_checks}", warning=True)
    yield Route(100, 0)
    yield Say(f"Canary failed! Scaling down {canary}", warning=True, phase=Phase.FAILED)
    yield Weigh(100, 0)
    yield Scale(up=False)
    yield Sync(Phase.FAILED)
    yield Finished(succeeded=False)
    yield from _after(canary, Phase.FAILED)


def _primary_is_not_ready(canary: Canary, seen: Observation) -> Script:
    yield Say(str(seen.primary.problem), warning=True)
    if not seen.primary.hopeless:
        return
    if seen.phase not in _PROMOTES:
        yield from roll_back(canary, seen)
        return
    # The new revision is broken on the primary, and the canary is the only copy that works: it keeps all traffic.
    problem = f"Promotion of {canary.target}.{canary.namespace} failed, primary not ready: {seen.primary.problem}"
    yield Say(problem, warning=True)
    yield Route(0, 100)
    yield Weigh(0, 100)
    yield Sync(Phase.FAILED, weight=100)
    yield Finished(succeeded=False)
    yield from _after(canary, Phase.FAILED)


def _begin(canary: Canary, seen: Observation) -> Script:
    for hook in canary.analysis.hooks_of(HookType.CONFIRM_ROLLOUT):
        if (yield Call(hook, seen.phase)) is not None:
            if seen.phase != Phase.WAITING:
                yield Enter(Phase.WAITING)
                yield Say(f"Halt {canary} advancement waiting for approval {hook.name}", warning=True)
            return
        yield Say(f"Confirm-rollout check {hook.name} passed")
    target = f"{canary.target}.{canary.namespace}"
    yield Say(f"New revision detected! Scaling up {target}", phase=Phase.PROGRESSING)
    yield Scale(up=True)
    yield Sync(Phase.PROGRESSING)


def _begin_again(canary: Canary) -> Script:
    yield Say(f"New revision detected! Restarting analysis for {canary.target}.{canary.namespace}")
    yield Route(100, 0)
    yield Sync(Phase.PROGRESSING)


def _promote_unseen(canary: Canary) -> Script:
    yield Route(100, 0)
    yield Weigh(100, 0)
    yield from _copy(canary)
    yield SyncAutoscaler()
    yield Scale(up=False)
    yield Enter(Phase.SUCCEEDED)
    yield Finished(succeeded=True, skipped=True)
    yield from _after(canary, Phase.SUCCEEDED)
    target = f"{canary.target}.{canary.namespace}"
    yield Say(f"Promotion completed! Canary analysis was skipped for {target}", phase=Phase.SUCCEEDED)


def _analyse(canary: Canary, seen: Observation) -> Script:
    for hook in canary.analysis.hooks_of(HookType.ROLLBACK):
        if (yield Call(hook, seen.phase)) is None:
            yield Say(f"Rollback check {hook.name} passed", warning=True)
            yield Say(f"Rolling back {canary} manual webhook invoked", warning=True)
            yield from roll_back(canary, seen)
            return
        yield Say(f"Rollback hook {hook.name} not signaling a rollback")
    if seen.failed_checks >= canary.analysis.threshold:
        yield from roll_back(canary, seen)
        return
    if not (yield from _checks(canary, seen)):
        yield Count("failedChecks", seen.failed_checks + 1)
        return
    if not seen.meshed:
        yield from _without_mesh(canary, seen)
    elif canary.analysis.strategy == Strategy.CANARY:
        yield from _shift(canary, seen)
    else:
        yield from _iterate(canary, seen, rounds=canary.analysis.iterations)


def _without_mesh(canary: Canary, seen: Observation) -> Script:
    unsupported = "is not supported when using the kubernetes provider"
    if canary.analysis.match:
        yield Say(f"A/B testing {unsupported}", warning=True)
    if not canary.analysis.iterations:
        yield Say(f"Progressive traffic {unsupported}", warning=True)
        yield Say(f"Setting canaryAnalysis.iterations: {ROUNDS_WITHOUT_MESH}", warning=True)
    yield from _iterate(canary, seen, rounds=canary.analysis.iterations or ROUNDS_WITHOUT_MESH)


def _checks(canary: Canary, seen: Observation) -> Asking:
    mirroring = canary.analysis.mirror and seen.routes.mirrored
    if seen.routes.canary == 0 and seen.iterations == 0 and not mirroring:
        yield Say(f"Starting canary analysis for {canary.target}.{canary.namespace}")
        return (yield from _pre_rollout(canary))
    for hook in canary.analysis.hooks_of(HookType.ROLLOUT):
        if (reason := (yield Call(hook, Phase.PROGRESSING))) is not None:
            yield Say(f"Halt {canary} advancement external check {hook.name} failed {reason}", warning=True)
            return False
    builtin_first = sorted(canary.analysis.metrics, key=lambda metric: metric.template is not None)
    for metric in builtin_first:
        if (problem := (yield Measure(metric))) is not None:
            yield Say(problem, warning=True)
            return False
    return True


def _pre_rollout(canary: Canary) -> Asking:
    for hook in canary.analysis.hooks_of(HookType.PRE_ROLLOUT):
        if (reason := (yield Call(hook, Phase.PROGRESSING))) is not None:
            yield Say(f"Halt {canary} advancement pre-rollout check {hook.name} failed {reason}", warning=True)
            return False
        yield Say(f"Pre-rollout check {hook.name} passed")
    return True


def _shift(canary: Canary, seen: Observation) -> Script:
    step = canary.analysis.step_from(seen.routes.canary)
    if step <= 0:
        return
    if not seen.routes.mirrored and seen.phase == Phase.PROGRESSING:
        for hook in canary.analysis.hooks_of(HookType.CONFIRM_TRAFFIC):
            if (yield Call(hook, Phase.PROGRESSING)) is not None:
                problem = f"Halt {canary} advancement waiting for traffic increase approval {hook.name}"
                yield Say(problem, warning=True)
                return
            yield Say(f"Confirm-traffic-increase check {hook.name} passed")
    if seen.routes.canary >= canary.analysis.limit:
        if (yield from _confirmed(canary, seen)):
            yield from _start_promotion(canary)
        return
    route = _next_route(canary, seen.routes, step)
    yield route
    yield Count("canaryWeight", route.canary)
    yield Weigh(route.primary, route.canary)
    yield Say(f"Advance {canary} canary weight {route.canary}")


def _next_route(canary: Canary, routes: Routes, step: int) -> Route:
    if canary.analysis.mirror and routes.canary == 0 and not routes.mirrored:
        return Route(100, 0, mirrored=True)
    return Route(max(0, routes.primary - step), min(100, routes.canary + step))


def _iterate(canary: Canary, seen: Observation, *, rounds: int) -> Script:
    done, matched = seen.iterations, seen.meshed and canary.analysis.strategy == Strategy.AB
    if done < rounds:
        if matched:
            yield Route(0, 100)
            yield Weigh(0, 100)
        elif seen.meshed and canary.analysis.mirror and not seen.routes.mirrored:
            yield Route(100, 0, mirrored=True)
        yield Count("iterations", done + 1)
        yield Say(f"Advance {canary} canary iteration {done + 1}/{rounds}")
        return
    if not (yield from _confirmed(canary, seen)):
        return
    if matched or done > rounds:
        yield from _start_promotion(canary)
        return
    if seen.meshed:
        how = "Stop traffic mirroring and route" if canary.analysis.mirror else "Routing"
        yield Say(f"{how} all traffic to canary")
        yield Route(0, 100)
        yield Weigh(0, 100)
    yield Count("iterations", done + 1)


def _confirmed(canary: Canary, seen: Observation) -> Asking:
    for hook in canary.analysis.hooks_of(HookType.CONFIRM_PROMOTION):
        if (yield Call(hook, Phase.PROGRESSING)) is not None:
            if seen.phase == Phase.WAITING_PROMOTION:
                yield Count("iterations", canary.analysis.iterations - 1)
            else:
                yield Enter(Phase.WAITING_PROMOTION)
                yield Say(f"Halt {canary} advancement waiting for promotion approval {hook.name}", warning=True)
            return False
        yield Say(f"Confirm-promotion check {hook.name} passed")
    return True


def _start_promotion(canary: Canary) -> Script:
    yield from _copy(canary)
    yield Enter(Phase.PROMOTING)


def _copy(canary: Canary) -> Script:
    source, copy = f"{canary.target}.{canary.namespace}", f"{canary.primary}.{canary.namespace}"
    yield Say(f"Copying {source} template spec to {copy}")
    yield Promote()


def _promote(canary: Canary, seen: Observation) -> Script:
    yield SyncAutoscaler()
    if not seen.meshed:
        yield Enter(Phase.FINALISING)
        return
    step = canary.analysis.step_weight_promotion
    if not step:
        yield Say("Routing all traffic to primary")
        yield Route(100, 0)
        yield Weigh(100, 0)
        yield Enter(Phase.FINALISING)
        return
    if seen.routes.canary <= 0:
        return
    primary, rest = min(100, seen.routes.primary + step), max(0, seen.routes.canary - step)
    yield Route(primary, rest)
    yield Weigh(primary, rest)
    yield Say(f"Advance {canary} primary weight {primary}")
    yield Enter(Phase.FINALISING) if primary == 100 else Count("canaryWeight", rest)


def _finalise(canary: Canary, seen: Observation) -> Script:
    yield Scale(up=False)
    yield Enter(Phase.SUCCEEDED)
    yield Finished(succeeded=True)
    yield from _after(canary, Phase.SUCCEEDED)
    target = f"{canary.target}.{canary.namespace}"
    yield Say(f"Promotion completed! Scaling down {target}", phase=Phase.SUCCEEDED)


def _after(canary: Canary, phase: Phase) -> Script:
    told = phase if phase == Phase.SUCCEEDED else None  # after a failure, event webhooks hear of the phase before
    for hook in canary.analysis.hooks_of(HookType.POST_ROLLOUT):
        if (reason := (yield Call(hook, phase))) is not None:
            yield Say(f"Post-rollout hook {hook.name} failed {reason}", warning=True, phase=told)
            return
        yield Say(f"Post-rollout check {hook.name} passed", phase=told)


_STEPS = {
    Phase.PROGRESSING: _analyse,
    Phase.WAITING_PROMOTION: _analyse,
    Phase.PROMOTING: _promote,
    Phase.FINALISING: _finalise,
}
