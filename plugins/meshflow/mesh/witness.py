"""What the objects of a rollout show by themselves, for Flagger's events that never come.

Flagger's client writes 25 events of one type about a Canary, and after those only one more every five minutes; the
others are lost. Where traffic went, that checks failed, and that the new revision is analysed at all show in the
objects too, though not why. `completed` adds to a timeline only what no event told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from meshflow.mesh import timeline
from meshflow.mesh.observation import Release, RolloutObservation, State, split_of, state_of
from meshflow.mesh.timeline import Step, StepKind
from meshflow.objects.reference import Obj

NEAR = timedelta(seconds=5)
"""How long after the objects an event about the same may come."""


class Sight(NamedTuple):
    """A change that was seen; `number` is the percentage on the canary, or how many checks have failed."""

    step: Step
    number: int = 0


class Witness:
    """Looks at one rollout's objects again and again; `sights` are the changes so far."""

    def __init__(self) -> None:
        self.sights: tuple[Sight, ...] = ()
        self._analysed, self._weight, self._failed = False, 0, 0

    def look(self, observation: RolloutObservation, *, release: Release, now: datetime) -> None:
        """Compare with the last look. Only while Flagger analyses or promotes: the end says itself what it is."""
        state = state_of(observation.canary)
        if state is State.ANALYSING:
            self._look_at_revision(observation, release, now)
            self._look_at_checks(observation, now)
        if state in (State.ANALYSING, State.ASKING, State.PROMOTING):
            self._look_at_traffic(observation, release, now)

    def _look_at_revision(self, observation: RolloutObservation, release: Release, now: datetime) -> None:
        """While it analyses, Flagger writes the hash of the template only where it begins with a new one."""
        applied = _status(observation).get("lastAppliedSpec")
        if applied and applied != release.applied_before and not self._analysed:
            self._analysed = True
            self._saw(Step(now, StepKind.DETECTED, "the new revision is being analysed"))

    def _look_at_checks(self, observation: RolloutObservation, now: datetime) -> None:
        failed = int(_status(observation).get("failedChecks") or 0)
        if failed > self._failed:
            analysis = ((observation.canary or {}).get("spec") or {}).get("analysis") or {}
            message = f"{failed} of {analysis.get('threshold', 1)} checks failed, and the event that says why was lost"
            self._saw(Step(now, StepKind.FAILED_CHECK, message), failed)
        self._failed = failed

    def _look_at_traffic(self, observation: RolloutObservation, release: Release, now: datetime) -> None:
        split = split_of(observation, release=release)
        weight = split.canary if split else 0
        if weight not in (0, self._weight):
            self._saw(Step(now, StepKind.WEIGHT, f"canary weight {weight}", value=float(weight), unit="%"), weight)
        self._weight = weight

    def _saw(self, step: Step, number: int = 0) -> None:
        self.sights = (*self.sights, Sight(step, number))


def completed(told: Sequence[Step], sights: Iterable[Sight]) -> tuple[Step, ...]:
    """What events told, and what else was seen."""
    return timeline.merge(told, [sight.step for sight in sights if not _told(sight, told)])


def _told(sight: Sight, told: Sequence[Step]) -> bool:
    before = [step for step in told if step.kind is sight.step.kind and step.time <= sight.step.time + NEAR]
    if sight.step.kind is StepKind.WEIGHT:
        return any(step.value == sight.number for step in before)
    return len(before) >= max(1, sight.number)


def _status(observation: RolloutObservation) -> Obj:
    return (observation.canary or {}).get("status") or {}
