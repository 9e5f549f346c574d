"""What became of MY revision: one observation in, one decision out.

Flagger's phase alone does not say. `Failed` can mean that traffic is back on the primary, or (a promotion that
failed) that all of it is on the canary; `Succeeded` can be the verdict on the revision before; a `Failed` canary can
swallow the next revision without ever analysing it. So the decision hangs on five facts: whose revision the target and
the primary carry, what the phase means, whether Flagger reached a new verdict since our write, and where the
VirtualService sends traffic.

The rows are read from the top, the first that matches decides; `-` matches anything. `observation` has the words.

    target   state        noticed  primary  traffic  decision
    -------  -----------  -------  -------  -------  ----------------
    stale    -            -        -        -        wait
    -        deleted      -        -        -        aborted
    missing  -            -        -        -        aborted
    other    promoting    -        mine     -        wait
    other    failed       -        mine     canary   failed_on_canary
    other    -            -        mine     -        succeeded
    other    -            -        -        -        superseded
    mine     asking       -        -        -        ask
    mine     initialized  yes      mine     -        succeeded
    mine     initialized  no       mine     -        skipped
    mine     succeeded    no       mine     -        skipped
    mine     failed       no       mine     -        skipped
    mine     succeeded    yes      mine     primary  succeeded
    mine     succeeded    yes      mine     unknown  succeeded
    mine     failed       yes      mine     primary  unknown
    mine     failed       yes      -        primary  rolled_back
    mine     failed       yes      -        canary   failed_on_canary
    mine     failed       yes      -        split    failed_on_canary
    mine     failed       yes      -        unknown  unknown
    mine     -            -        -        -        wait

`wait` turns to `wedged` when nothing moved for the canary's progressDeadlineSeconds; `ask` does not, for a person may
take a weekend. A failure whose traffic and status contradict each other (two watches, one ahead of the other) is looked
at again for `SETTLE` before it counts. And a success counts once the primary's new pods serve: where the analysis is
skipped Flagger does not look at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from meshflow.mesh import observation as seen
from meshflow.mesh import timeline, witness
from meshflow.mesh.observation import Facts, Release, RolloutObservation, State, Whose, before, names
from meshflow.mesh.timeline import Step
from meshflow.mesh.weights import Traffic, Weights
from meshflow.mesh.witness import Sight
from meshflow.release.outcome import Outcome

__all__ = ["Decision", "Release", "RolloutObservation", "Weights", "before", "decide", "names"]

PROGRESS_DEADLINE = 600
"""Seconds: what Flagger takes when spec.progressDeadlineSeconds is not set."""

MANUAL = "manual webhook invoked"
"""Flagger's words for a rollback that a person asked for: then no check is to blame."""

SETTLE = timedelta(seconds=5)
"""How long a contradiction between the VirtualService and the Canary's status may last before it is taken as it is."""


class Verb(StrEnum):
    """What to do while there is no outcome."""

    WAIT = "wait"
    ASK = "ask"


class Row(NamedTuple):
    """One row of the truth table; None matches anything."""

    target: Whose | None
    state: State | None
    noticed: bool | None
    primary: Whose | None
    traffic: Traffic | None
    answer: Outcome | Verb
    sentence: str

    def matches(self, facts: Facts) -> bool:
        return all(want is None or want == fact for want, fact in zip(self[:5], facts, strict=True))


MINE, OTHER, STALE, MISSING = Whose.MINE, Whose.OTHER, Whose.STALE, Whose.MISSING

TABLE: tuple[Row, ...] = (
    Row(STALE, None, None, None, None, Verb.WAIT, "the cluster does not show the write yet"),
    Row(None, State.DELETED, None, None, None, Outcome.ABORTED, "the Canary was deleted"),
    Row(MISSING, None, None, None, None, Outcome.ABORTED, "the target Deployment was deleted"),
    Row(
        OTHER, State.PROMOTING, None, MINE, None, Verb.WAIT, "being promoted; a later revision already waits behind it"
    ),
    Row(
        OTHER,
        State.FAILED,
        None,
        MINE,
        Traffic.CANARY,
        Outcome.FAILED_ON_CANARY,
        "failed, and traffic is on the canary, which runs a later revision",
    ),
    Row(OTHER, None, None, MINE, None, Outcome.SUCCEEDED, "promoted; a later revision follows it"),
    Row(OTHER, None, None, None, None, Outcome.SUPERSEDED, "a later revision replaced it before it was promoted"),
    Row(MINE, State.ASKING, None, None, None, Verb.ASK, "waits for a person's approval"),
    Row(
        MINE,
        State.INITIALIZED,
        True,
        MINE,
        None,
        Outcome.SUCCEEDED,
        "first installation done; Flagger analyses nothing on it",
    ),
    Row(MINE, State.INITIALIZED, False, MINE, None, Outcome.SKIPPED, "the primary already runs it"),
    Row(MINE, State.SUCCEEDED, False, MINE, None, Outcome.SKIPPED, "the primary already runs it"),
    Row(MINE, State.FAILED, False, MINE, None, Outcome.SKIPPED, "the primary already runs it"),
    Row(
        MINE, State.SUCCEEDED, True, MINE, Traffic.PRIMARY, Outcome.SUCCEEDED, "promoted; all traffic is on the primary"
    ),
    Row(
        MINE,
        State.SUCCEEDED,
        True,
        MINE,
        Traffic.UNKNOWN,
        Outcome.SUCCEEDED,
        "promoted; no VirtualService splits traffic",
    ),
    Row(
        MINE,
        State.FAILED,
        True,
        MINE,
        Traffic.PRIMARY,
        Outcome.UNKNOWN,
        "failed, and yet the primary runs it: no earlier revision serves in its place",
    ),
    Row(
        MINE,
        State.FAILED,
        True,
        None,
        Traffic.PRIMARY,
        Outcome.ROLLED_BACK,
        "rolled back; all traffic is on the primary",
    ),
    Row(
        MINE, State.FAILED, True, None, Traffic.CANARY, Outcome.FAILED_ON_CANARY, "failed, and traffic is on the canary"
    ),
    Row(MINE, State.FAILED, True, None, Traffic.SPLIT, Outcome.FAILED_ON_CANARY, "failed, and traffic is still split"),
    Row(
        MINE,
        State.FAILED,
        True,
        None,
        Traffic.UNKNOWN,
        Outcome.UNKNOWN,
        "failed, and no VirtualService says where traffic is",
    ),
    Row(MINE, None, None, None, None, Verb.WAIT, ""),
)

WAITS: Mapping[State, str] = {
    State.ABSENT: "waits for its Canary to appear",
    State.STARTING: "Flagger sets up the primary",
    State.INITIALIZED: "waits for Flagger to notice the new revision",
    State.SUCCEEDED: "waits for Flagger to notice the new revision",
    State.FAILED: "waits for Flagger to notice the new revision",
    State.ANALYSING: "being analysed",
    State.PROMOTING: "being promoted",
    State.STRANGE: "is in a phase that is not known here",
}
"""The sentence of the last row, by state."""


@dataclass(frozen=True)
class Decision:
    """Wait (`outcome` is None) or stop with an outcome. `message` is one sentence for a person.

    `asking` says that a person has to approve; `deadline` is when this wait turns to `wedged` if nothing moves, None
    while a person is asked or when it is over.
    """

    outcome: Outcome | None
    message: str
    phase: str = ""
    weights: Weights | None = None
    timeline: tuple[Step, ...] = ()
    deadline: datetime | None = None
    asking: bool = False

    @property
    def done(self) -> bool:
        return self.outcome is not None

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value if self.outcome else None,
            "message": self.message,
            "phase": self.phase,
            "weights": self.weights.to_json() if self.weights else None,
            "timeline": [step.to_json() for step in self.timeline],
            "deadline": self.deadline.isoformat() if self.deadline else None,
            "asking": self.asking,
        }


def decide(
    observation: RolloutObservation,
    *,
    release: Release,
    now: datetime,
    known: Iterable[Step] = (),
    sights: Iterable[Sight] = (),
) -> Decision:
    """Whether the release is over, and how it ended. Looks at nothing but its arguments; `now` is aware.

    `known` is what events of earlier looks told, since the cluster forgets them; `sights` are what a Witness saw.
    """
    told = timeline.merge(known, timeline.steps(observation.events, since=release.started))
    happened = witness.completed(told, sights)
    facts = seen.facts(observation, release=release, happened=happened)
    row = answer(facts)
    decision = Decision(None, "", _phase(observation), seen.split_of(observation, release=release), happened)
    why = row.sentence or _why(facts)
    if isinstance(row.answer, Outcome):
        if not _settled(observation, release=release, facts=facts, now=now):
            why = "looking again before calling it over"
            return _waiting(decision, observation, release=release, facts=facts, why=why)
        if row.answer is not Outcome.SUCCEEDED or seen.serves(observation.primary):
            return _ended(decision, row.answer, release=release, sentence=why + _unanalysed(observation, facts))
        why = "promoted, but the primary's new pods do not serve yet"
    waiting = _waiting(decision, observation, release=release, facts=facts, why=why, asking=row.answer is Verb.ASK)
    if waiting.deadline is None or now < waiting.deadline:
        return waiting
    stuck = f"nothing moved since {waiting.deadline - _patience(observation):%H:%M:%S} UTC: {why}"
    return _ended(waiting, Outcome.WEDGED, release=release, sentence=stuck)


def answer(facts: Facts) -> Row:
    """The first row that matches. The table is total: see its test."""
    return next(row for row in TABLE if row.matches(facts))


def _ended(decision: Decision, outcome: Outcome, *, release: Release, sentence: str) -> Decision:
    blame = _blame(decision.timeline) if outcome in (Outcome.ROLLED_BACK, Outcome.FAILED_ON_CANARY) else ""
    message = f"{release.service} {release.image.rpartition('@')[2][:19]}: {sentence}{blame}"
    return Decision(outcome, message, decision.phase, decision.weights, decision.timeline)


def _waiting(
    decision: Decision,
    observation: RolloutObservation,
    *,
    release: Release,
    facts: Facts,
    why: str,
    asking: bool = False,
) -> Decision:
    deadline = None if asking else _deadline(observation, release=release, facts=facts)
    message = f"{release.service}: {why}{_progress(observation, decision.weights)}"
    return Decision(None, message, decision.phase, decision.weights, decision.timeline, deadline, asking)


def _blame(happened: tuple[Step, ...]) -> str:
    """` because …` with the failed check and its numbers, or with Flagger's last words, or nothing."""
    failed, said = timeline.failed_checks(happened), timeline.last_words(happened)
    if failed and MANUAL not in said:
        last = failed[-1]
        figures = f"{last.check or 'a check'} was {last.figures()}" if last.figures() else last.message
        return f", because {figures} ({timeline.failures(happened)} failed checks)"
    return f", because of: {said}" if said else ""


def _progress(observation: RolloutObservation, split: Weights | None) -> str:
    """What is known in numbers: the split, failed checks of how many, iterations of how many."""
    canary = observation.canary or {}
    status, analysis = canary.get("status") or {}, (canary.get("spec") or {}).get("analysis") or {}
    parts = [str(split)] if split and split.canary else []
    if status.get("failedChecks"):
        parts.append(f"{status['failedChecks']} of {analysis.get('threshold', '?')} failed checks")
    if status.get("iterations") and analysis.get("iterations"):
        rounds = int(analysis["iterations"])
        parts.append(f"iteration {min(int(status['iterations']), rounds)} of {rounds}")  # blue/green counts one more
    return f" ({', '.join(parts)})" if parts else ""


def _why(facts: Facts) -> str:
    if facts.state is State.SUCCEEDED and facts.noticed:
        late = "the VirtualService still sends traffic to the canary"
        return late if facts.primary is MINE else "Flagger says succeeded, but the primary does not run it"
    return WAITS[facts.state]


def _unanalysed(observation: RolloutObservation, facts: Facts) -> str:
    skipped = facts.state is State.SUCCEEDED and facts.noticed and seen.skips_analysis(observation.canary)
    return "; its Canary skips the analysis" if skipped else ""


def _settled(observation: RolloutObservation, *, release: Release, facts: Facts, now: datetime) -> bool:
    """Whether what is seen can be believed: watches of several resources may be apart for a moment."""
    if facts.target is MISSING:
        return now - release.started >= SETTLE
    if facts.state is not State.FAILED or not facts.noticed or facts.target is not MINE:
        return True
    on_canary = int(((observation.canary or {}).get("status") or {}).get("canaryWeight") or 0) > 0
    if facts.traffic is (Traffic.CANARY if on_canary else Traffic.PRIMARY):
        return True
    since = timeline.moment(seen.promoted_condition(observation.canary).get("lastUpdateTime"))
    return since is None or now - since >= SETTLE


def _deadline(observation: RolloutObservation, *, release: Release, facts: Facts) -> datetime:
    """Signs of life count once Flagger noticed: a Failed canary is rewritten at every interval without any progress."""
    moving = facts.noticed or facts.state in (State.STARTING, State.ANALYSING, State.PROMOTING)
    since = seen.last_sign(observation, release=release) if moving else release.started
    return since + _patience(observation)


def _patience(observation: RolloutObservation) -> timedelta:
    spec = (observation.canary or {}).get("spec") or {}
    return timedelta(seconds=int(spec.get("progressDeadlineSeconds") or PROGRESS_DEADLINE))


def _phase(observation: RolloutObservation) -> str:
    return str(((observation.canary or {}).get("status") or {}).get("phase", ""))
