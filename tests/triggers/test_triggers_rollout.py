"""Following one release in a triggerer: what it looks at, what it logs, and how it ends when nobody ends it."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from meshflow.mesh.canary import Release
from meshflow.objects.reference import Reference
from meshflow.triggers import rollout
from meshflow.triggers.rollout import RolloutTrigger
from tests.triggers.conftest import START, Clock

Obj = dict[str, Any]
IMAGE = f"ghcr.io/acme/web@sha256:{'a' * 64}"
RELEASE = Release("web", "shop", IMAGE, "r1", START, condition_before="", generation=7)


class Scene:
    """A trigger, what it logs, and the objects that it looks at."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.said: list[str] = []
        self.events: list[Obj] = []
        self.trigger = self.fresh()

    def fresh(self) -> RolloutTrigger:
        """The trigger as a triggerer makes it after a restart."""
        made = RolloutTrigger(
            cluster="default",
            deadline=self.clock.after(600),
            release=RELEASE.to_json(),
            canary_name="web",
            target="web",
            routes="shop",
        )
        made._log = SimpleNamespace(info=lambda text, *values: self.said.append(text % values))  # type: ignore[assignment]
        return made

    def happened(self, message: str, *, about: str = "web") -> None:
        number = len(self.events)
        self.events.append(
            {
                "kind": "Event",
                "metadata": {"name": f"web.{number}", "namespace": "shop"},
                "involvedObject": {"kind": "Canary", "name": about},
                "reason": "Synced",
                "message": message,
                "count": 1,
                "lastTimestamp": (START + timedelta(seconds=number + 1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def seen(self) -> dict[Reference, Obj | None]:
        found = {Reference("", "Event", "shop", obj["metadata"]["name"]): obj for obj in self.events}
        return {**dict.fromkeys(self.trigger._objects()), **found}


@pytest.fixture
def scene(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(rollout, "timezone", SimpleNamespace(utcnow=clock.utcnow))
    return Scene(clock)


def test_it_looks_at_the_canary_its_route_both_deployments_and_the_events(scene: Scene) -> None:
    kinds = sorted((reference.kind, reference.name) for reference in scene.trigger.interest())
    assert kinds == [
        ("Canary", "web"),
        ("Deployment", "web"),
        ("Deployment", "web-primary"),
        ("Event", "*"),
        ("VirtualService", "shop"),
    ]


def test_each_weight_step_and_failed_check_is_one_line_with_its_numbers(scene: Scene) -> None:
    scene.happened("Advance web.shop canary weight 20")
    scene.trigger.judge(scene.seen())
    scene.happened("Halt web.shop advancement success rate 69.17% < 99%")
    scene.trigger.judge(scene.seen())
    scene.trigger.judge(scene.seen())
    lines = "\n".join(scene.said)
    assert lines.count("20") >= 1
    assert lines.count("69.17") == 1
    assert "99" in lines


def test_events_about_another_canary_are_not_ours(scene: Scene) -> None:
    scene.happened("Halt other.shop advancement success rate 12.34% < 99%", about="other")
    scene.trigger.judge(scene.seen())
    assert "12.34" not in "\n".join(scene.said)


def test_after_a_restart_the_timeline_is_read_again_from_the_events(scene: Scene) -> None:
    scene.happened("Advance web.shop canary weight 20")
    scene.trigger.judge(scene.seen())
    before = scene.trigger.expired(scene.seen())["timeline"]
    scene.trigger = scene.fresh()
    assert scene.trigger.expired(scene.seen())["timeline"] == before


def test_steps_whose_events_the_cluster_forgot_stay_in_the_timeline(scene: Scene) -> None:
    scene.happened("Advance web.shop canary weight 20")
    scene.trigger.judge(scene.seen())
    scene.events.clear()
    assert len(scene.trigger.expired(scene.seen())["timeline"]) == 1


def test_a_rollout_that_does_not_end_in_time_is_wedged_and_says_how_it_was_last_seen(scene: Scene) -> None:
    event = scene.trigger.expired(scene.seen())
    assert event["outcome"] == "wedged"
    assert "it was last seen so: " in event["message"]


def test_a_cluster_that_cannot_be_asked_makes_the_outcome_unknown(scene: Scene) -> None:
    event = scene.trigger.blind("connection refused")
    assert event["outcome"] == "unknown"
    assert "could not be asked" in event["message"]
    assert event["message"].endswith("connection refused")


def test_what_it_waits_with_survives_the_database_and_holds_no_secret(scene: Scene) -> None:
    path, kwargs = scene.trigger.serialize()
    assert path == "meshflow.triggers.rollout.RolloutTrigger"
    again = RolloutTrigger(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == (path, kwargs)
    assert set(kwargs) == {"cluster", "deadline", "release", "canary_name", "target", "routes"}
    assert Release.from_json(kwargs["release"]) == RELEASE


def test_it_shares_its_stream_with_every_other_wait_on_the_cluster(scene: Scene) -> None:
    assert scene.trigger.shared_stream_key() == ("meshflow", "default")
