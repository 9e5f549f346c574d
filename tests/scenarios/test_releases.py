"""A good release is promoted; a bad one is rolled back by its numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.scenarios.scene import NAMESPACE, PODINFO, Ended, Scene, written_by

pytestmark = pytest.mark.airflow

GOOD, BAD = "frontend", "data-analysis"


class Releases(NamedTuple):
    """Both, released at the same time."""

    good: Ended
    good_digest: str
    bad: Ended
    bad_digest: str
    before: str  # what the primary of the bad one ran before


@pytest.fixture(scope="module")
def releases(mesh: Scene) -> Releases:
    good, bad = mesh.push("scenario-good"), mesh.push("scenario-bad", error_rate=0.2, latency_p99=900)
    before = mesh.image(f"{BAD}-primary")
    why = {"reason": "a scenario", "requested_by": "tests"}
    with mesh.slowly(5):  # so that no weight step passes between two looks
        started = mesh.api.trigger(f"rollout_{GOOD}", image="scenario-good", **why)
        failing = mesh.api.trigger(f"rollout_{BAD}", image="scenario-bad", **why)
        ended = mesh.end(f"rollout_{GOOD}", started)
        return Releases(ended, good, mesh.end(f"rollout_{BAD}", failing), bad, before)


def outcome(mesh: Scene, run: Ended) -> dict[str, Any]:
    found: dict[str, Any] = mesh.api.xcom(run.dag_id, run.run_id, "follow", "outcome")
    return found


def test_the_good_release_is_promoted(releases: Releases, mesh: Scene) -> None:
    assert releases.good.state == "success", mesh.why(releases.good)
    assert outcome(mesh, releases.good)["outcome"] == "succeeded"
    assert mesh.image(f"{GOOD}-primary") == f"{PODINFO}@{releases.good_digest}"
    assert mesh.cluster.weights(NAMESPACE, GOOD)[f"{GOOD}-primary"] == 100


def test_the_weight_went_up_in_steps(releases: Releases, mesh: Scene) -> None:
    steps = [step for step in outcome(mesh, releases.good)["timeline"] if step["kind"] == "weight"]
    assert [step["value"] for step in steps if step["value"]] == [20, 40, 60]


def test_the_bad_release_is_rolled_back(releases: Releases, mesh: Scene) -> None:
    assert releases.bad.state == "failed"
    assert outcome(mesh, releases.bad)["outcome"] == "rolled_back"
    assert mesh.cluster.weights(NAMESPACE, BAD)[f"{BAD}-primary"] == 100
    assert mesh.image(f"{BAD}-primary") == releases.before


def test_the_run_says_which_check_failed_with_which_value_against_which_threshold(
    releases: Releases, mesh: Scene
) -> None:
    failed = [step for step in outcome(mesh, releases.bad)["timeline"] if step["kind"] == "failed_check"]
    assert failed
    assert {step["check"] for step in failed} <= {"request-success-rate", "request-duration"}
    assert all(step["value"] is not None and step["threshold"] for step in failed)
    said = mesh.failure(releases.bad.dag_id, releases.bad.run_id)
    assert said.startswith("rolled_back: ")
    assert failed[0]["check"] in said
    assert f"{failed[0]['threshold']:g}" in said


def test_a_rolled_back_release_is_not_tried_again(releases: Releases, mesh: Scene) -> None:
    assert mesh.task(releases.bad.dag_id, releases.bad.run_id, "follow")["try_number"] == 1


def test_the_weights_and_failed_checks_are_in_the_tasks_log(releases: Releases, mesh: Scene) -> None:
    log = mesh.api.log(releases.bad.dag_id, releases.bad.run_id, "follow")
    failed = [step for step in outcome(mesh, releases.bad)["timeline"] if step["kind"] == "failed_check"]
    assert f"{failed[0]['value']:g}" in log


def test_the_record_has_the_request_the_outcome_and_the_timeline(releases: Releases, mesh: Scene) -> None:
    document = mesh.record(releases.bad)
    assert document["request"]["pinned"] == f"{PODINFO}@{releases.bad_digest}"
    assert (document["request"]["reason"], document["request"]["requested_by"]) == ("a scenario", "tests")
    assert document["outcome"]["outcome"] == "rolled_back"
    assert [step for step in document["outcome"]["timeline"] if step["kind"] == "failed_check"]
    assert document["failures"][0]["task"] == "follow"


def test_the_image_belongs_to_the_release_alone(releases: Releases, mesh: Scene) -> None:
    managers = {who for who, _ in written_by(mesh.deployment(GOOD))}
    assert managers == {"meshflow", "meshflow-release"}
    again = mesh.run(f"rollout_{GOOD}")
    assert again.state == "success"
    assert mesh.image(f"{GOOD}-primary") == f"{PODINFO}@{releases.good_digest}"
    assert outcome(mesh, again)["outcome"] == "skipped"


def test_no_record_and_no_log_holds_the_clusters_token(releases: Releases, mesh: Scene) -> None:
    token = mesh.cluster.token
    for folder in ("meshflow", "airflow/logs", "logs"):
        for file in (mesh.stack.home / folder).rglob("*"):
            if file.is_file():
                assert token not in file.read_text(errors="replace"), file
