"""What becomes of a push: for each service that follows the repository a rollout, or a reason why not.

The run id is made of service and digest, so a push that is delivered again (registries repeat what was not answered)
finds its run there. For the same reason a push of a digest that was rolled out before starts nothing, even if the
service runs another one by now: the two cannot be told apart. Going back to it is a rollback, or a run by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from meshflow import errors
from meshflow.release import policy
from meshflow.release.policy import Action, Running, Waiting
from meshflow.release.push import Push
from meshflow.release.request import run_id
from meshflow.web.watching import Watcher


class Result(StrEnum):
    """What became of a push for one service; one sentence each in `SENTENCES`."""

    STARTED = "started"
    WAITS = "waits"
    KNOWN = "already known"
    IGNORED = "ignored"
    REFUSED = "refused"
    FAILED = "failed"


SENTENCES: Mapping[Result, str] = {
    Result.STARTED: "The rollout starts now.",
    Result.WAITS: "It waits until the running rollout has ended.",
    Result.KNOWN: "This digest has its run already: the push was delivered before, or the digest rolled out before.",
    Result.IGNORED: "The same digest is already being rolled out.",
    Result.REFUSED: "A rollout is running and the policy is to reject.",
    Result.FAILED: "The rollout could not be started.",
}
STATUS: Mapping[Result, int] = {
    Result.STARTED: 201,
    Result.WAITS: 202,
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
        """False when a run of that id is there already. Raises NotFound for an unknown DAG."""

    def drop(self, dag_id: str, run: str, *, note: str) -> None:
        """End a run that waits in the queue; one that started meanwhile is left alone."""


Resolve = Callable[[str], str]
"""An image with its tag → the digest that the registry has for it now."""


def arrive(
    pushes: Iterable[Push], *, registry: str, watchers: Iterable[Watcher], runs: Runs, resolve: Resolve
) -> Iterator[Answer]:
    """Start what is to be started, and say for each push and service what happened."""
    following = list(watchers)
    for push in pushes:
        for watcher in following:
            if watcher.wants(push):
                yield _one(push, watcher, registry=registry, runs=runs, resolve=resolve)


def _one(push: Push, watcher: Watcher, *, registry: str, runs: Runs, resolve: Resolve) -> Answer:
    """One failure must not hide what became of the push for the other services."""
    try:
        pinned = push if push.digest else push._replace(digest=resolve(push.image))
        return _roll_out(pinned, watcher, registry=registry, runs=runs)
    except errors.MeshflowError as problem:
        return Answer(watcher.service, push.image, Result.FAILED, str(problem))


def _roll_out(push: Push, watcher: Watcher, *, registry: str, runs: Runs) -> Answer:
    dag_id, run = f"rollout_{watcher.service}", run_id(watcher.service, str(push.digest))
    if runs.exists(dag_id, run):
        return _answer(push, watcher, Result.KNOWN, run=run)
    queue = runs.queue(dag_id)
    met = policy.meet(watcher.policy, str(push.digest), running=queue.running, waiting=queue.waiting)
    if met.action is Action.IGNORE:
        return _answer(push, watcher, Result.IGNORED, met.message)
    if met.action is Action.REFUSE:
        return _answer(push, watcher, Result.REFUSED, met.message)
    conf = {"image": push.image, "reason": f"push of {push.repository}:{push.tag}", "requested_by": f"push:{registry}"}
    if not runs.start(dag_id, run, conf=conf, by=f"webhook:{registry}", note=conf["reason"]):
        return _answer(push, watcher, Result.KNOWN, run=run)
    for older in met.drop:
        runs.drop(dag_id, older, note=f"{run} took its place")
    return _answer(push, watcher, Result.STARTED if met.action is Action.START else Result.WAITS, met.message, run=run)


def _answer(push: Push, watcher: Watcher, result: Result, message: str = "", *, run: str | None = None) -> Answer:
    return Answer(watcher.service, push.image, result, message or SENTENCES[result], run)
