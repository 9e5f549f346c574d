"""Gates asked again and again until they pass or their time is over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from meshflow import errors
from meshflow.gates.model import Result, Verdict, Verdicts
from meshflow.sensors.gates import GateSensor
from meshflow.triggers import gates
from meshflow.triggers.gates import GatesTrigger
from tests.operators.harness import Run
from tests.triggers.conftest import Clock

PASS = Verdicts.of(Verdict("prometheus", Result.PASS, "ready", {"targets": 12}))
FAIL = Verdicts.of(Verdict("prometheus", Result.FAIL, "2 targets are down", {"down": 2}))


class Rounds:
    """What the gates answer, round by round; the last answer stays. Time passes between the rounds."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answers: list[Verdicts | Exception] = []
        self.asked = 0

    async def evaluate(self, *_: Any) -> Verdicts:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)


@pytest.fixture
def rounds(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Rounds:
    made = Rounds(clock)

    @asynccontextmanager
    async def kube(_: Any) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(gates.ClusterHook, "kube", kube)
    monkeypatch.setattr(gates.gates, "evaluate", made.evaluate)
    monkeypatch.setattr(gates, "timezone", SimpleNamespace(utcnow=clock.utcnow))
    monkeypatch.setattr(gates.asyncio, "sleep", made.sleep)
    return made


def trigger(clock: Clock, seconds: float = 60) -> GatesTrigger:
    return GatesTrigger(cluster="default", deadline=clock.after(seconds), gates="observability", options={})


async def fired(made: GatesTrigger) -> Verdicts:
    (event,) = [event async for event in made.run()]
    return Verdicts.from_json(event.payload["verdicts"])


async def test_it_fires_as_soon_as_all_pass(rounds: Rounds, clock: Clock) -> None:
    rounds.answers = [FAIL, FAIL, PASS]
    assert (await fired(trigger(clock))).passed
    assert rounds.asked == 3


async def test_at_the_deadline_it_fires_with_the_last_answer_and_its_numbers(rounds: Rounds, clock: Clock) -> None:
    rounds.answers = [FAIL]
    verdicts = await fired(trigger(clock, seconds=10))
    assert [verdict.numbers for verdict in verdicts] == [{"down": 2}]
    assert rounds.asked == 6  # at 0, 2, 4, 6, 8 and 10 s


async def test_a_cluster_that_does_not_answer_is_asked_again(rounds: Rounds, clock: Clock) -> None:
    rounds.answers = [errors.Unreachable("refused", target="api"), PASS]
    assert (await fired(trigger(clock))).passed


async def test_a_cluster_that_never_answers_is_an_error_and_not_a_failed_gate(rounds: Rounds, clock: Clock) -> None:
    rounds.answers = [errors.Unreachable("connection refused", target="api")]
    (verdict,) = await fired(trigger(clock, seconds=10))
    assert verdict.result is Result.ERROR
    assert "connection refused" in verdict.reason


async def test_what_waiting_cannot_mend_ends_the_wait_with_its_sentence(rounds: Rounds, clock: Clock) -> None:
    """Raised, it would reach the task as a failed trigger: no sentence in the record, and three more tries."""
    rounds.answers = [FAIL, errors.Unauthorized("home does not accept our credentials"), PASS]
    verdicts = await fired(trigger(clock))
    assert (rounds.asked, verdicts.passed) == (2, False)
    assert "home does not accept our credentials" in str(next(iter(verdicts)))


async def test_a_trigger_that_starts_after_its_deadline_asks_once(rounds: Rounds, clock: Clock) -> None:
    rounds.answers = [PASS]
    clock.now += timedelta(hours=1)
    assert (await fired(trigger(clock))).passed


async def test_only_what_changed_is_logged(rounds: Rounds, clock: Clock) -> None:
    rounds.answers = [FAIL, FAIL, FAIL, PASS]
    said: list[str] = []
    made = trigger(clock)
    made._log = SimpleNamespace(info=lambda text, *values: said.append(text % values))  # type: ignore[assignment]
    await fired(made)
    assert len(said) == 1


def test_its_serialised_form_makes_the_same_trigger(clock: Clock) -> None:
    made = GatesTrigger.within(timedelta(minutes=1), cluster="default", gates="preflight", options={"service": "web"})
    path, kwargs = made.serialize()
    assert path == "meshflow.triggers.gates.GatesTrigger"
    assert GatesTrigger(**json.loads(json.dumps(kwargs))).serialize() == (path, kwargs)


def test_the_task_fails_with_the_evidence_and_leaves_it_for_the_record() -> None:
    sensor, run = GateSensor(task_id="gates", gates="observability", cluster="default"), Run()
    with pytest.raises(errors.GateFailed, match="2 targets are down"):
        sensor.resume(run.context(sensor), {"verdicts": FAIL.to_json()})
    assert run.xcoms["gates", "evidence"][0]["numbers"] == {"down": 2}
    assert "2 targets are down" in run.failure("gates")


def test_the_task_passes_with_its_numbers() -> None:
    sensor, run = GateSensor(task_id="gates", gates="observability", cluster="default"), Run()
    assert sensor.resume(run.context(sensor), {"verdicts": PASS.to_json()}) == PASS.to_json()
    assert run.xcoms["gates", "evidence"] == PASS.to_json()


@pytest.mark.parametrize("result", [Result.INCONCLUSIVE, Result.ERROR])
def test_no_data_and_no_answer_do_not_pass(result: Result) -> None:
    sensor, run = GateSensor(task_id="gates", gates="observability", cluster="default"), Run()
    verdicts = Verdicts.of(Verdict("prometheus", result, "nothing is known"))
    with pytest.raises(errors.MeshflowError, match="nothing is known"):
        sensor.resume(run.context(sensor), {"verdicts": verdicts.to_json()})
