"""The life of one container as a function of its age. Pure: no clock, no store.

    waiting ──pull──► waiting ──start──► running ──ready──► running, ready
       │ pull error                        │ crash_after             │ run, when its pod ends
       ▼                                   ▼                         ▼
    ErrImagePull ► ImagePullBackOff      terminated ► CrashLoopBackOff ► running …    terminated, exit code 0

Ages are seconds of the simulation since the node began with the container.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sandbox.controllers.behaviour import Behaviour

FIRST_BACKOFF = 10.0  # seconds after the first crash; doubled with each
LAST_BACKOFF = 300.0
PULL_RETRY = 1.0  # seconds that an ErrImagePull shows before it becomes ImagePullBackOff


class Does(StrEnum):
    """What a container does at a moment."""

    PULLING = "pulling"  # its image is on its way
    STARTING = "starting"  # its image is there
    RUNNING = "running"
    PULL_FAILED = "pull failed"  # the image could not be had
    PULL_BACKOFF = "pull backoff"  # the same, between two tries
    BACKOFF = "backoff"  # it crashed and waits to be started again
    ENDED = "ended"  # it ended for good


class Moment(NamedTuple):
    """A container at one age."""

    does: Does
    next: float | None = None  # the age of the next change; None: it stays so
    ready: bool = False
    restarts: int = 0
    since: float = 0.0  # the age at which the present run, or backoff, began
    last_run: tuple[float, float] | None = None  # begin and end of the run before, as ages
    exit_code: int = 0
    backoff: float = 0.0

    @property
    def started(self) -> bool:
        return self.does is Does.RUNNING


def at(behaviour: Behaviour, age: float, *, lasts: float | None = None, restarted: bool = True) -> Moment:
    """The container at this age. After `lasts` it ends well; unless `restarted`, its first crash is its end."""
    if behaviour.pull_error:
        return _without_image(behaviour, age)
    if age < behaviour.pull:
        return Moment(Does.PULLING, behaviour.pull)
    begin = behaviour.pull + behaviour.start
    if age < begin:
        return Moment(Does.STARTING, begin)
    if behaviour.crash_after is not None:
        return _crashing(behaviour, age, begin, restarted=restarted)
    if lasts is not None and age >= begin + lasts:
        return Moment(Does.ENDED, since=begin, last_run=(begin, begin + lasts))
    ready_at = begin + behaviour.ready
    ready = age >= ready_at and not behaviour.never_ready
    changes = [t for t in (ready_at, begin + lasts if lasts is not None else None) if t is not None and t > age]
    return Moment(Does.RUNNING, min(changes, default=None), ready=ready, since=begin)


def _without_image(behaviour: Behaviour, age: float) -> Moment:
    tried = behaviour.pull
    if age < tried:
        return Moment(Does.PULLING, tried)
    if age < tried + PULL_RETRY:
        return Moment(Does.PULL_FAILED, tried + PULL_RETRY)
    return Moment(Does.PULL_BACKOFF)


def _crashing(behaviour: Behaviour, age: float, begin: float, *, restarted: bool) -> Moment:
    runs = behaviour.crash_after or 0.0
    restarts, last = 0, None
    while True:
        end = begin + runs
        if age < end:
            ready_at = begin + behaviour.ready
            ready = age >= ready_at and not behaviour.never_ready
            change = ready_at if age < ready_at < end else end
            return Moment(Does.RUNNING, change, ready, restarts, begin, last, behaviour.exit_code)
        last = (begin, end)
        if not restarted:
            return Moment(Does.ENDED, None, False, restarts, begin, last, behaviour.exit_code)
        pause = min(LAST_BACKOFF, FIRST_BACKOFF * 2**restarts)
        if age < end + pause:
            return Moment(Does.BACKOFF, end + pause, False, restarts, end, last, behaviour.exit_code, pause)
        begin, restarts = end + pause, restarts + 1
