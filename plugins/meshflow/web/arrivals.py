"""What becomes of a push: for each service that follows the repository a rollout, or a reason why not.

The run id is made of service and digest, so a push that is delivered again (registries repeat what was not answered)
finds its run there. For the same reason a push of a digest that was rolled out before starts nothing, even if the
service runs another one by now: the two cannot be told apart. Going back to it is a rollback, or a run by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from meshflow import errors
from meshflow.release import policy
from meshflow.release.policy import Action, Running, Waiting
from meshflow.release.push import Push
from meshflow.release.request import run_id
from meshflow.web.watching import Watcher
from meshflow.words import PushPolicy


class Result(StrEnum):
    """What became of a push for one service; one sentence each in `SENTENCES`."""

    STARTED = "started"
    WAITS = "waits"
    REPLACES = "replaces"
    KNOWN = "already known"
    IGNORED = "ignored"
    REFUSED = "refused"
    FAILED = "failed"


SENTENCES: Mapping[Result, str] = {
    Result.STARTED: "The rollout starts now.",
    Result.WAITS: "It waits until the running rollout has ended.",
    Result.REPLACES: "It takes the place of the running rollout, which ends as superseded.",
    Result.KNOWN: "This digest has its run already: the push was delivered before, or the digest rolled out before.",
    Result.IGNORED: "The same digest is already being rolled out.",
    Result.REFUSED: "A rollout is running and the policy is to reject.",
    Result.FAILED: "The rollout could not be started.",
}
STATUS: Mapping[Result, int] = {
    Result.STARTED: 201,
    Result.WAITS: 202,
    Result.REPLACES: 202,
    Result.KNOWN: 409,
    Result.IGNORED: 409,
    Result.REFUSED: 409,
    Result.FAILED: 503,
}
"""The HTTP code that each result would have if it were alone."""


class Answer(NamedTuple):
    """What became of one push for one service."""

    service: str
    image: str
    result: Result
    message: str
    run: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "result": self.result.value, "status": STATUS[self.result]}


class Queue(NamedTuple):
    """The runs of a service that have not ended, as Airflow holds them."""

    running: Running | None
    waiting: tuple[Waiting, ...]


class Runs(Protocol):
    """Airflow's runs (web/runs.py); a test has its own."""

    def exists(self, dag_id: str, run: str) -> bool: ...

    def queue(self, dag_id: str) -> Queue: ...

    def start(self, dag_id: str, run: str, *, conf: Mapping[str, Any], by: str, note: str) -> bool:
        """False when a run of that id is there already; `by` is a registry. Raises NotFound for an unknown DAG."""

    def drop(self, dag_id: str, run: str, *, note: str) -> None:
        """End a run that waits in the queue; one that started meanwhile is left alone."""

    def supersede(self, dag_id: str, run: str, *, by: str) -> None:
        """End a run that has begun, with the outcome `superseded` in its record; one that ended is left alone."""


Resolve = Callable[[str], str]
"""An image with its tag → the digest that the registry has for it now."""

Phase = Callable[[str], str]
"""A service → the phase that its Canary is in now, empty when it has none."""


def arrive(
    pushes: Iterable[Push], *, registry: str, watchers: Iterable[Watcher], runs: Runs, resolve: Resolve, phase: Phase
) -> Iterator[Answer]:
    """Start what is to be started, and say for each push and service what happened."""
    arrival, following = Arrival(registry, runs, resolve, phase), list(watchers)
    for push in pushes:
        for watcher in following:
            if watcher.wants(push):
                yield arrival.at(push, watcher)


class Arrival(NamedTuple):
    """One notification, and what it is carried out with."""

    registry: str
    runs: Runs
    resolve: Resolve
    phase: Phase

    def at(self, push: Push, watcher: Watcher) -> Answer:
        """One failure must not hide what became of the push for the other services."""
        try:
            return self._roll_out(push if push.digest else push._replace(digest=self.resolve(push.image)), watcher)
        except errors.MeshflowError as problem:
            return Answer(watcher.service, push.image, Result.FAILED, str(problem))

    def _roll_out(self, push: Push, watcher: Watcher) -> Answer:
        dag_id, run = f"rollout_{watcher.service}", run_id(watcher.service, str(push.digest))
        if self.runs.exists(dag_id, run):
            return _answer(push, watcher, Result.KNOWN, run=run)
        queue = self._queue(dag_id, watcher)
        met = policy.meet(watcher.policy, str(push.digest), running=queue.running, waiting=queue.waiting)
        result = RESULTS[met.action]
        if met.action in (Action.IGNORE, Action.REFUSE):
            return _answer(push, watcher, result, met.message)
        if not self._start(dag_id, run, push, supersede=met.action is Action.REPLACE):
            return _answer(push, watcher, Result.KNOWN, run=run)
        for older in met.drop:
            self.runs.drop(dag_id, older, note=f"{run} took its place")
        if met.action is Action.REPLACE and queue.running:
            self.runs.supersede(dag_id, queue.running.run_id, by=run)
        return _answer(push, watcher, result, met.message, run=run)

    def _queue(self, dag_id: str, watcher: Watcher) -> Queue:
        """The queue; where something may be superseded, with the phase of the Canary, for a promotion never is."""
        queue = self.runs.queue(dag_id)
        if queue.running is None or watcher.policy is not PushPolicy.SUPERSEDE:
            return queue
        return queue._replace(running=replace(queue.running, phase=self.phase(watcher.service)))

    def _start(self, dag_id: str, run: str, push: Push, *, supersede: bool) -> bool:
        reason = f"push of {push.repository}:{push.tag}"
        conf: dict[str, Any] = {"image": push.image, "reason": reason, "requested_by": f"push:{self.registry}"}
        if supersede:
            conf["supersede"] = True
        return self.runs.start(dag_id, run, conf=conf, by=self.registry, note=reason)


RESULTS: Mapping[Action, Result] = {
    Action.START: Result.STARTED,
    Action.WAIT: Result.WAITS,
    Action.REPLACE: Result.REPLACES,
    Action.IGNORE: Result.IGNORED,
    Action.REFUSE: Result.REFUSED,
}


def _answer(push: Push, watcher: Watcher, result: Result, message: str = "", *, run: str | None = None) -> Answer:
    return Answer(watcher.service, push.image, result, message or SENTENCES[result], run)
