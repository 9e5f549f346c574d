"""Blue/green without Flagger, step by step; and how a service's strategy is read from its manifests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshflow.mesh import blue_green, strategy
from meshflow.mesh.blue_green import COLOUR, Observation, Release, Verb, decide
from meshflow.mesh.strategy import Strategy
from meshflow.release.outcome import Outcome

Obj = dict[str, Any]
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GREEN = Release("web@sha256:b", "green", NOW + timedelta(minutes=5))
SERVICES = Path(__file__).parents[2] / "include" / "manifests" / "services"


def service(colour: str | None) -> Obj:
    return {"spec": {"selector": {"app": "web", **({COLOUR: colour} if colour else {})}}}


def deployment(
    image: str = "web@sha256:a", *, available: int = 2, reason: str = "", generation: int = 1, replicas: int = 2
) -> Obj:
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": available,
            "conditions": [{"type": "Progressing", "reason": reason, "message": "too slow"}],
        },
    }


def pod(colour: str) -> Obj:
    return {"metadata": {"labels": {COLOUR: colour}}}


NEW = deployment(GREEN.image)
STEPS = [
    # selector, green's Deployment, pods reached, on time, late
    (None, NEW, [], Outcome.UNKNOWN, Outcome.UNKNOWN),
    ("blue", deployment(), [], Verb.PREPARE, Outcome.ROLLED_BACK),
    ("blue", deployment(GREEN.image, available=1), [], Verb.WAIT, Outcome.ROLLED_BACK),
    ("blue", deployment(GREEN.image, generation=2), [], Verb.WAIT, Outcome.ROLLED_BACK),
    ("blue", deployment(GREEN.image, replicas=0), [], Verb.WAIT, Outcome.ROLLED_BACK),
    ("blue", deployment(GREEN.image, reason="ProgressDeadlineExceeded"), [], Outcome.ROLLED_BACK, Outcome.ROLLED_BACK),
    ("blue", NEW, [], Verb.SWITCH, Outcome.ROLLED_BACK),
    ("green", NEW, ["blue"], Verb.VERIFY, Verb.SWITCH_BACK),
    ("green", NEW, ["blue", "green"], Verb.VERIFY, Outcome.UNKNOWN),
    ("green", NEW, [], Verb.VERIFY, Verb.SWITCH_BACK),
    ("green", NEW, ["green", "green"], Outcome.SUCCEEDED, Outcome.SUCCEEDED),
    ("green", deployment("web@sha256:c"), ["green"], Outcome.SUPERSEDED, Outcome.SUPERSEDED),
]


@pytest.mark.parametrize(("selector", "green", "reached", "on_time", "late"), STEPS)
def test_the_next_step_follows_from_what_is_there(selector, green, reached, on_time, late):
    seen = Observation({"blue": deployment(), "green": green}, service(selector), [pod(colour) for colour in reached])
    for now, wanted in ((NOW, on_time), (GREEN.deadline, late)):
        found = decide(seen, release=GREEN, now=now)
        assert (found.verb or found.outcome) == wanted
        assert found.done is isinstance(wanted, Outcome)
        assert found.message


def test_a_release_runs_to_its_end_by_its_own_steps():
    """Each answer carried out leads to the next, and a switch is verified before it counts."""
    seen = Observation({"blue": deployment(), "green": deployment()}, service("blue"), [pod("blue")])
    after = {
        Verb.PREPARE: lambda: Observation({**seen.deployments, "green": NEW}, seen.service, seen.serving),
        Verb.SWITCH: lambda: Observation(seen.deployments, service("green"), seen.serving),
        Verb.VERIFY: lambda: Observation(seen.deployments, seen.service, [pod("green")]),
    }
    verbs = []
    for _ in itertools.repeat(None, 10):
        found = decide(seen, release=GREEN, now=NOW)
        if found.verb is None:
            break
        verbs.append(found.verb)
        seen = after[found.verb]()
    assert verbs == [Verb.PREPARE, Verb.SWITCH, Verb.VERIFY]
    assert found.outcome is Outcome.SUCCEEDED


def test_after_a_switch_back_it_does_not_switch_again():
    seen = Observation({"blue": deployment(), "green": NEW}, service("blue"), [pod("blue")])
    assert decide(seen, release=GREEN, now=GREEN.deadline).outcome is Outcome.ROLLED_BACK


def test_the_idle_colour_is_the_one_that_does_not_serve():
    assert [blue_green.idle(service(colour)) for colour in ("blue", "green", "red", None)] == [
        "green",
        "blue",
        None,
        None,
    ]
    assert blue_green.idle(None) is None


def test_a_release_survives_json():
    assert Release.from_json(GREEN.to_json()) == GREEN


def canary(**analysis: Any) -> Obj:
    return {"kind": "Canary", "spec": {"analysis": analysis}}


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        ([canary(stepWeight=10)], Strategy.CANARY),
        ([canary(iterations=4)], Strategy.BLUE_GREEN),
        ([canary(iterations=4, match=[{}])], Strategy.AB),
        ([{"kind": "Service", **service("blue")}], Strategy.PLAIN_BLUE_GREEN),
        ([{"kind": "Service", **service(None)}, {"kind": "Deployment"}], Strategy.ROLLING),
        ([], Strategy.ROLLING),
    ],
)
def test_the_strategy_is_read_from_the_manifests(objects, wanted):
    assert strategy.of(objects) is wanted


def test_the_example_application_shows_all_of_flaggers_strategies():
    found = {
        folder.name: strategy.of(
            [obj for path in folder.glob("*.yaml") for obj in yaml.safe_load_all(path.read_text())]
        )
        for folder in SERVICES.iterdir()
    }
    assert set(found.values()) == {Strategy.CANARY, Strategy.BLUE_GREEN, Strategy.AB, Strategy.ROLLING}
    assert found["kafka"] is Strategy.ROLLING


def test_every_strategy_has_its_sentence():
    assert set(strategy.SENTENCES) == set(Strategy)
