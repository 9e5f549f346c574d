"""Flagger's sentences give their numbers back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meshflow.mesh import timeline
from meshflow.mesh.timeline import Step, StepKind

AT = "2026-11-23T10:00:00Z"


def event(message: str, *, at: str = AT, count: int = 1) -> dict:
    return {
        "kind": "Event",
        "reason": "Synced",
        "message": message,
        "lastTimestamp": at,
        "count": count,
        "metadata": {},
    }


SAID = [
    # what Flagger says; kind, check, value, threshold, unit
    ("New revision detected! Scaling up web.weather", StepKind.DETECTED, None, None, None, ""),
    ("New revision detected! Restarting analysis for web.weather", StepKind.DETECTED, None, None, None, ""),
    ("Starting canary analysis for web.weather", StepKind.STARTED, None, None, None, ""),
    ("Advance web.weather canary weight 20", StepKind.WEIGHT, None, 20, None, "%"),
    ("Advance web.weather primary weight 70", StepKind.WEIGHT, None, 30, None, "%"),
    ("Routing all traffic to primary", StepKind.WEIGHT, None, 0, None, "%"),
    ("Routing all traffic to canary", StepKind.WEIGHT, None, 100, None, "%"),
    ("Advance web.weather canary iteration 3/4", StepKind.ITERATION, None, 3, 4, ""),
    (
        "Halt web.weather advancement success rate 69.17% < 99%",
        StepKind.FAILED_CHECK,
        "request-success-rate",
        69.17,
        99,
        "%",
    ),
    (
        "Halt web.weather advancement request duration 1.2345s > 500ms",
        StepKind.FAILED_CHECK,
        "request-duration",
        1234.5,
        500,
        "ms",
    ),
    (
        "Halt web.weather advancement 404s percentage 12.50 > 5",
        StepKind.FAILED_CHECK,
        "404s percentage",
        12.5,
        5,
        "",
    ),
    (
        "Halt advancement no values found for istio metric request-success-rate probably web.weather is not receiving "
        "traffic: no values found",
        StepKind.FAILED_CHECK,
        "request-success-rate",
        None,
        None,
        "",
    ),
    (
        "Halt advancement no values found for custom metric: error-budget: no values found",
        StepKind.FAILED_CHECK,
        "error-budget",
        None,
        None,
        "",
    ),
    (
        "Halt web.weather advancement external check load-test failed Post refused",
        StepKind.FAILED_CHECK,
        "load-test",
        None,
        None,
        "",
    ),
    (
        "Halt web.weather advancement pre-rollout check smoke failed 500",
        StepKind.FAILED_CHECK,
        "smoke",
        None,
        None,
        "",
    ),
    ("Prometheus query failed: connection refused", StepKind.FAILED_CHECK, None, None, None, ""),
    ("Halt web.weather advancement waiting for promotion approval gate", StepKind.WAITING, None, None, None, ""),
    ("Copying web.weather template spec to web-primary.weather", StepKind.PROMOTING, None, None, None, ""),
    ("Promotion completed! Scaling down web.weather", StepKind.PROMOTED, None, None, None, ""),
    ("Initialization done! web.weather", StepKind.PROMOTED, None, None, None, ""),
    ("Rolling back web.weather failed checks threshold reached 3", StepKind.ROLLBACK, None, None, None, ""),
    ("Canary failed! Scaling down web.weather", StepKind.FAILED, None, None, None, ""),
    ("Promotion of web.weather failed, primary not ready: stuck", StepKind.FAILED, None, None, None, ""),
    (
        "canary deployment web.weather not ready: waiting for rollout to finish: 0 of 2 updated replicas are available",
        StepKind.NOT_READY,
        None,
        None,
        None,
        "",
    ),
    ("all the metrics providers are available!", StepKind.NOTE, None, None, None, ""),
]


@pytest.mark.parametrize(
    ("said", "kind", "check", "value", "threshold", "unit"), SAID, ids=[row[0][:40] for row in SAID]
)
def test_each_sentence_is_understood(said, kind, check, value, threshold, unit):
    step = timeline.read(event(said))
    assert (step.kind, step.check, step.value, step.threshold, step.unit) == (kind, check, value, threshold, unit)


def test_a_failed_check_shows_its_value_against_its_threshold():
    assert timeline.read(event(SAID[8][0])).figures() == "69.17% against 99%"
    assert timeline.read(event(SAID[11][0])).figures() == ""


def test_a_folded_event_is_read_without_its_prefix_and_without_the_count_of_the_others():
    step = timeline.read(event(timeline.COMBINED + "Advance web.weather canary weight 60", count=14))
    assert (step.kind, step.value, step.count) == (StepKind.WEIGHT, 60, 1)


def test_steps_are_in_order_of_time_and_each_is_there_once():
    events = [event("Advance a.b canary weight 40", at="2026-11-23T10:00:20Z"), event("Advance a.b canary weight 20")]
    first = timeline.steps(events)
    assert [step.value for step in first] == [20, 40]
    assert timeline.merge(first, timeline.steps(reversed(events))) == first


def test_within_one_second_weights_rise_and_then_fall_however_they_were_seen():
    """An event knows no fractions of a second; a step that was seen in the objects does."""
    seen = Step(datetime.fromisoformat(AT) + timedelta(milliseconds=400), StepKind.WEIGHT, "canary weight 40", value=40)
    words = ("canary weight 100", "canary weight 60", "primary weight 30", "canary weight 5", "primary weight 80")
    said = [event(f"Advance web.weather {words}") for words in words]
    found = timeline.merge([seen], timeline.steps([*said, event("Routing all traffic to primary")]))
    assert [step.value for step in found] == [5, 40, 60, 100, 70, 20, 0]


def test_steps_of_an_earlier_rollout_are_left_out():
    since = datetime(2026, 11, 23, 10, 0, 0, 900_000, tzinfo=UTC)
    events = [
        event("Canary failed! Scaling down a.b", at="2026-11-23T09:59:59Z"),
        event("Starting canary analysis for a.b"),
    ]
    assert [step.kind for step in timeline.steps(events, since=since)] == [StepKind.STARTED]


def test_a_repeated_failure_counts_as_often_as_it_happened_however_it_was_seen():
    said = "Halt web.weather advancement success rate 50.00% < 99%"
    seen = [event(said, count=1), event(said, at="2026-11-23T10:00:10Z", count=2)]
    other = event("Halt web.weather advancement request duration 1s > 500ms", at="2026-11-23T10:00:20Z")
    steps = timeline.steps([*seen, other])
    assert timeline.failures(steps) == 3
    assert [step.check for step in timeline.failed_checks(steps)] == ["request-success-rate", "request-duration"]


def test_what_was_said_in_earlier_releases_does_not_count():
    since = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
    said = "Halt advancement no values found for metric: errors"
    earlier = {"firstTimestamp": "2026-11-23T09:30:00Z"}
    seen = [event(said, count=4) | earlier, event(said, at="2026-11-23T10:00:10Z", count=5) | earlier]
    steps = timeline.merge(timeline.steps(seen[:1], since=since), timeline.steps(seen[1:], since=since))
    assert [step.count for step in steps] == [1, 1]
    assert timeline.failures(steps) == 2


def test_flagger_itself_says_best_how_many_checks_failed():
    said = event("Halt advancement no values found for metric: errors")
    gave_up = event("Rolling back web.weather failed checks threshold reached 3", at="2026-11-23T10:00:30Z")
    assert timeline.failures(timeline.steps([said, gave_up])) == 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("500ms", 500), ("1.5s", 1500), ("1m2.5s", 62500), ("2h", 7_200_000), ("250µs", 0.25), ("0s", 0)],
)
def test_go_durations_are_milliseconds(text, wanted):
    assert timeline.milliseconds(text) == wanted


def test_a_step_survives_json():
    for row in SAID:
        step = timeline.read(event(row[0]))
        assert Step.from_json(step.to_json()) == step


def test_every_kind_of_step_has_its_sentence():
    assert set(timeline.SENTENCES) == set(StepKind)
