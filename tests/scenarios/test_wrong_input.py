"""Wrong input ends in one clear sentence each, and nothing is half-done.

The runs are started together, since each is of a DAG of its own; then each is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx
import pytest

from tests.scenarios.scene import Ended, Scene

pytestmark = pytest.mark.airflow

MANIFEST = "include/manifests/services/kafka/service.yaml"


class Case(NamedTuple):
    """What is asked, and what has to be said by which task."""

    dag_id: str
    conf: Mapping[str, Any]
    task: str
    says: tuple[str, ...]


CASES = {
    "unknown tag": Case(
        "rollout_frontend", {"image": "no-such-tag"}, "request", ("ghcr.io/stefanprodan/podinfo", "no-such-tag")
    ),
    "malformed manifest": Case("rollout_kafka", {}, "request", ("kafka/service.yaml:",)),
    "wrong chart digest": Case("deploy_flagger", {}, "render", ("flagger", "sha256", "charts.lock")),
    "expired token": Case(
        "install_istio",
        {"cluster": "expired"},
        "plan",
        ("expired (https://127.0.0.1:", "does not accept our credentials"),
    ),
    "missing permission": Case("secure_mesh", {"cluster": "stranger"}, "plan", ("stranger", "list")),
    "missing connection": Case(
        "deploy_observability", {"cluster": "missing"}, "plan", ("connection missing_cluster: does not exist",)
    ),
}


class Happened(NamedTuple):
    """The runs by case, and what writes there were over HTTP meanwhile."""

    runs: Mapping[str, Ended]
    writes: Mapping[str, int]


@pytest.fixture(scope="module")
def happened(scene: Scene) -> Happened:
    """All the wrong input at once, with a broken manifest and a tampered lock file while it lasts."""
    lock = (scene.stack.home / "charts.lock").read_text()
    tampered = re.sub(r"(name: flagger\n.*\n.*sha256: )\S+", rf"\g<1>{'f' * 64}", lock)
    before = writes(scene)
    with ExitStack() as broken:
        broken.enter_context(scene.changed("charts.lock", tampered))
        broken.enter_context(scene.changed(MANIFEST, "apiVersion: v1\nkind: Service\nmetadata: {name: kafka\n"))
        started = {name: scene.api.trigger(case.dag_id, **case.conf) for name, case in CASES.items()}
        runs = {name: scene.end(CASES[name].dag_id, run_id) for name, run_id in started.items()}
    return Happened(runs, {what: count - before.get(what, 0) for what, count in writes(scene).items()})


def writes(scene: Scene) -> dict[str, int]:
    """Requests over HTTP that may write, by verb and resource: only Meshflow and these tests make any."""
    asked: dict[str, int] = scene.status()["requests"]
    return {what: count for what, count in asked.items() if what.split()[0] not in ("get", "list", "watch")}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_one_sentence(happened: Happened, scene: Scene, name: str) -> None:
    case, run = CASES[name], happened.runs[name]
    assert run.state == "failed"
    assert scene.states(run)[case.task] == "failed"
    said = scene.api.xcom(run.dag_id, run.run_id, case.task, "failure")["message"]
    assert "\n" not in said
    assert all(words in said for words in case.says), said
    assert len(said) < 600


@pytest.mark.parametrize("name", CASES)
def test_it_is_in_the_tasks_log_and_in_the_record(happened: Happened, scene: Scene, name: str) -> None:
    case, run = CASES[name], happened.runs[name]
    said = scene.api.xcom(run.dag_id, run.run_id, case.task, "failure")["message"]
    document = scene.record(run)
    assert [failure["message"] for failure in document["failures"]] == [said]
    attempt = scene.task(run.dag_id, run.run_id, case.task)["try_number"]
    assert said in scene.api.log(run.dag_id, run.run_id, case.task, attempt=attempt)


@pytest.mark.parametrize("name", CASES)
def test_what_waiting_cannot_mend_is_not_tried_again(happened: Happened, scene: Scene, name: str) -> None:
    case, run = CASES[name], happened.runs[name]
    assert scene.task(run.dag_id, run.run_id, case.task)["try_number"] == 1


def test_a_cluster_that_does_not_answer_is_tried_again(scene: Scene) -> None:
    dag_id = "enable_injection"
    run_id = scene.api.trigger(dag_id, cluster="unreachable")
    scene.reaches(dag_id, run_id, "plan", "up_for_retry")
    said = scene.failure(dag_id, run_id)
    scene.cancel(dag_id, run_id)
    assert said.startswith("unreachable: no connection to https://127.0.0.1:")
    assert "\n" not in said


def test_nothing_was_written(happened: Happened) -> None:
    assert {what: count for what, count in happened.writes.items() if count} == {}


def test_no_task_runs_after_one_that_failed(happened: Happened, scene: Scene) -> None:
    for name, run in happened.runs.items():
        states = scene.states(run)
        assert states["record"] == "success", name
        allowed = {"failed", "upstream_failed", "success"}
        assert set(states.values()) <= allowed, name
        assert "upstream_failed" in states.values(), name


def test_an_unknown_service_has_no_dag_to_run(scene: Scene) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        scene.api.get("dags/rollout_frontent")


@pytest.mark.parametrize(
    ("dag_id", "conf", "says"),
    [
        ("rollback_service", {"service": "frontent"}, "frontent"),
        ("install_istio", {"cluster": "defualt"}, "defualt"),
        ("install_istio", {"dry_run": "perhaps"}, "perhaps"),
        ("rollout_frontend", {"image": 6.1}, "6.1"),
    ],
    ids=["unknown service", "unknown cluster", "not a boolean", "not a text"],
)
def test_a_parameter_that_does_not_fit_is_refused_before_there_is_a_run(
    scene: Scene, dag_id: str, conf: dict[str, Any], says: str
) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        scene.api.trigger(dag_id, **conf)
    assert refusal.value.response.status_code == 400
    assert says in refusal.value.response.text
