"""The record of a run, whatever became of its tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from meshflow.operators.record import Record
from meshflow.release import record
from tests.operators.harness import Run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path))
    return tmp_path


def write(run: Run, **options: Any) -> dict[str, Any]:
    task = Record(task_id="record", chain="istio", cluster="default", **options)
    written = run.execute(task)
    found: dict[str, Any] = json.loads(Path(written["path"]).read_text())["document"]
    return found


def test_it_holds_what_each_task_left_without_what_only_the_approval_page_needs() -> None:
    run = Run("one", reason="because")
    run.xcoms["plan", "return_value"] = {"summary": "1 create", "markdown": "long", "approvable": {"istio": ["x"]}}
    run.xcoms["approve", "return_value"] = {"decision": "approved", "by": "alice"}
    run.xcoms["gates", "evidence"] = [{"gate": "g", "result": "pass", "reason": "r", "numbers": {"n": 1}}]
    document = write(run, gates=["gates"])
    assert document["plan"] == {"summary": "1 create"}
    assert document["approval"]["by"] == "alice"
    assert document["gates"][0]["numbers"] == {"n": 1}
    assert document["trigger"]["params"]["reason"] == "because"
    assert (document["run"], document["failures"], document["outcome"]) == ("one", [], None)


def test_a_failed_task_is_in_it_with_its_sentence() -> None:
    run = Run()
    run.xcoms["apply", "failure"] = {"task": "apply", "error": "Conflict", "message": "owned by kubectl-edit"}
    document = write(run)
    assert document["failures"] == [{"task": "apply", "error": "Conflict", "message": "owned by kubectl-edit"}]
    assert document["apply"] is None


def test_a_task_that_left_no_sentence_is_in_it_too() -> None:
    """It was killed, marked as failed by hand, or ended by a limit of Airflow's own; the page would say done."""
    run = Run()
    run.states = {"apply": "failed", "gates": "upstream_failed"}
    (failure,) = write(run)["failures"]
    assert (failure["task"], failure["error"]) == ("apply", "Failed")


def test_a_release_that_was_superseded_did_not_fail() -> None:
    run = Run()
    run.xcoms["follow", "outcome"] = {"outcome": "superseded", "message": "by a later push", "timeline": []}
    run.states = {"follow": "failed"}
    assert write(run, outcome="follow")["failures"] == []


def test_the_outcome_of_a_release_is_in_it_even_if_the_task_failed() -> None:
    run = Run()
    run.xcoms["follow", "outcome"] = {"outcome": "rolled_back", "message": "5xx 20 > 1", "timeline": []}
    assert write(run, outcome="follow")["outcome"]["outcome"] == "rolled_back"


def test_what_tasks_left_in_an_earlier_try_of_the_run_is_not_in_it() -> None:
    """Airflow drops what a task left when it starts again: one that is not reached any more keeps it."""
    run = Run()
    run.xcoms["follow", "outcome"] = {"outcome": "succeeded", "message": "promoted", "timeline": []}
    run.xcoms["preflight", "evidence"] = [{"gate": "g", "result": "pass", "reason": "r", "numbers": {}}]
    run.xcoms["apply", "return_value"] = {"writes": {"a": "create"}}
    run.xcoms["release", "failure"] = {"task": "release", "error": "Rejected", "message": "no"}
    run.states = {"follow": "upstream_failed", "preflight": "skipped", "apply": "removed", "release": "failed"}
    document = write(run, outcome="follow", gates=["preflight"])
    assert (document["outcome"], document["gates"], document["apply"]) == (None, [], None)
    assert len(document["failures"]) == 1


def test_records_of_a_chain_follow_each_other_by_hash(home: Path) -> None:
    for number in range(3):
        write(Run(f"run-{number}"))
    assert [item["document"]["run"] for item in record.read(home / "records/istio")] == ["run-0", "run-1", "run-2"]


def test_it_runs_after_a_failure_and_does_not_hide_it() -> None:
    with DAG("some", schedule=None):
        task = Record.of_run(chain="istio")
    assert task.is_teardown
    assert not task.on_failure_fail_dagrun
