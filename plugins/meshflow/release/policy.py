"""What happens to a push that meets a running rollout of the same service.

    nothing runs            start
    the same digest runs    ignore
    queue                   wait behind what runs and waits
    coalesce                wait behind what runs, in place of everything that waits
    supersede               replace what runs; while it is promoted or finalised: as coalesce
    reject                  refuse

A rollout that is being promoted is never interrupted: Flagger does not look for a new revision then, so pods that
nobody analysed would take traffic until it has finished. Nor does a push replace or drop what somebody else asked for:
a person who rolls back by hand must not lose to the next build. Where such a run waits nothing is replaced: it would
meet the Canary in the middle of an analysis that nobody follows any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from meshflow.words import PushPolicy

UNTOUCHABLE = frozenset({"Promoting", "Finalising"})


class Action(StrEnum):
    """What to do with the push; one sentence each in `SENTENCES`."""

    START = "start"
    WAIT = "wait"
    REPLACE = "replace"
    IGNORE = "ignore"
    REFUSE = "refuse"


SENTENCES: Mapping[Action, str] = {
    Action.START: "Nothing runs for this service: the rollout starts now.",
    Action.WAIT: "It waits until the running rollout has ended.",
    Action.REPLACE: "It takes the place of the running rollout, which ends as superseded.",
    Action.IGNORE: "The same digest is already being rolled out.",
    Action.REFUSE: "A rollout is running and the policy is to reject.",
}


@dataclass(frozen=True)
class Running:
    """The rollout that runs now. `phase` is its Canary's, empty when it has none; `pushed`: a push asked for it."""

    run_id: str
    digest: str
    phase: str = ""
    pushed: bool = True


@dataclass(frozen=True)
class Waiting:
    """A rollout in the queue; `pushed` as above."""

    run_id: str
    digest: str
    pushed: bool = True


@dataclass(frozen=True)
class Answer:
    """What to do with the push, which waiting runs to drop for it, and a sentence for who pushed."""

    action: Action
    message: str
    drop: tuple[str, ...] = ()


def meet(policy: PushPolicy, digest: str, *, running: Running | None, waiting: Sequence[Waiting] = ()) -> Answer:
    """The answer to a push of `digest`. `waiting` is in the order of the queue."""
    if running is None and not waiting:
        return Answer(Action.START, SENTENCES[Action.START])
    last = waiting[-1].digest if waiting else running.digest if running else ""
    if last == digest:
        return Answer(Action.IGNORE, SENTENCES[Action.IGNORE])
    older = tuple(item.run_id for item in waiting if item.pushed)
    if policy is PushPolicy.REJECT:
        return Answer(Action.REFUSE, SENTENCES[Action.REFUSE])
    by_hand = any(not item.pushed for item in waiting)
    if policy is PushPolicy.SUPERSEDE and _replaceable(running) and not by_hand:
        return Answer(Action.REPLACE, SENTENCES[Action.REPLACE], older)
    if policy is PushPolicy.QUEUE:
        return Answer(Action.WAIT, SENTENCES[Action.WAIT])
    return Answer(Action.WAIT, _in_place_of(older, running), older)


def _replaceable(running: Running | None) -> bool:
    return running is not None and running.pushed and running.phase not in UNTOUCHABLE


def _in_place_of(older: Sequence[str], running: Running | None) -> str:
    why = ""
    if running and not running.pushed:
        why = " (somebody asked for that one, which no push interrupts)"
    elif running and running.phase in UNTOUCHABLE:
        why = f" (it is {running.phase}, which is never interrupted)"
    instead = f", in place of {', '.join(older)}" if older else ""
    return f"It waits until the running rollout has ended{why}{instead}."
