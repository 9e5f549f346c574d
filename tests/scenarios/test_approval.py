"""A person reads the plan and lets it through, or does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.scene import Ended, Scene
from tools.stack import USER

pytestmark = pytest.mark.airflow

DAG = "deploy_flagger"
EXTRA = "include/manifests/flagger/extra.yaml"
CONFIG = {"kind": "ConfigMap", "name": "scenario", "namespace": "flagger-system"}


@pytest.fixture
def change(mesh: Scene) -> Iterator[Scene]:
    """One object more than is applied; afterwards the cluster is as before, and nobody is asked any more."""
    file = mesh.stack.home / EXTRA
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: scenario, namespace: flagger-system}\ndata: {a: b}\n"
    )
    yield mesh
    file.unlink()
    for run in mesh.api.runs(DAG):
        if run["state"] not in ("success", "failed"):
            mesh.cancel(DAG, run["dag_run_id"])
    if config(mesh):
        tidied = mesh.run(DAG)
        assert tidied.state == "success", mesh.why(tidied)
        assert config(mesh) is None


def config(mesh: Scene) -> Any:
    return mesh.cluster.get("/api/v1/namespaces/flagger-system/configmaps/scenario")


def answer(mesh: Scene, run_id: str, option: str) -> Ended:
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    question = mesh.api.get(path)
    assert "Apply this plan?" in question["subject"]
    assert "ConfigMap/flagger-system/scenario create" in question["body"]
    mesh.api.patch(path, {"chosen_options": [option], "params_input": {}})
    return mesh.end(DAG, run_id)


def test_what_is_approved_is_written_and_the_record_says_by_whom(change: Scene) -> None:
    run_id = change.asked(DAG)
    assert config(change) is None
    ended = answer(change, run_id, "Approve")
    assert ended.state == "success", change.why(ended)
    assert config(change)
    approval = change.record(ended)["approval"]
    assert (approval["decision"], approval["by"]) == ("approved", USER)
    assert approval["at"].startswith("20")


def test_what_is_rejected_is_not_written(change: Scene) -> None:
    ended = answer(change, change.asked(DAG), "Reject")
    assert ended.state == "failed"
    assert config(change) is None
    assert change.failure(DAG, ended.run_id) == f"The plan was rejected by {USER}; nothing was written."
    assert change.record(ended)["failures"][0]["task"] == "approve"


def test_a_dry_run_stops_after_the_plan(change: Scene) -> None:
    ended = change.run(DAG, dry_run=True)
    assert ended.state == "success"
    assert config(change) is None
    states = change.states(ended)
    assert (states["plan"], states["approve"], states["apply"], states["record"]) == (
        "success",
        "skipped",
        "skipped",
        "success",
    )
    assert "1 create" in change.record(ended)["plan"]["summary"]


def test_nobody_is_asked_about_a_plan_without_changes(mesh: Scene) -> None:
    ended = mesh.run(DAG, approve=True)
    assert ended.state == "success", mesh.why(ended)
    assert mesh.record(ended)["approval"]["decision"] == "nothing to approve"
