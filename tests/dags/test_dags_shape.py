"""One who has read one DAG has read all: the same shape, the same parameters, the same manners."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG, Param

from meshflow import settings
from meshflow.operators.retries import MeshflowRetries
from tests.dags.conftest import loaded

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(entry.name for entry in (ROOT / "include/manifests/services").iterdir() if entry.is_dir())
PHASES = ("install_istio", "enable_injection", "secure_mesh", "deploy_observability", "deploy_flagger")
ROLLOUTS = tuple(f"rollout_{name}" for name in SERVICES)
OTHERS = ("bootstrap_mesh", "verify_observability", "check_drift", "rollback_service")
COMMON = ("render", "plan", "approve")
SHAPES: Mapping[str, tuple[str, ...]] = {
    "install_istio": (*COMMON, "apply", "gates", "record"),
    "enable_injection": (*COMMON, "apply", "restart", "gates", "record"),
    "secure_mesh": (
        *COMMON,
        *("apply_gateways", "check_gateways", "permit", "evidence", "enforce", "gates", "record"),
    ),
    "deploy_observability": (*COMMON, "apply", "gates", "record"),
    "deploy_flagger": (*COMMON, "apply", "gates", "record"),
    "verify_observability": ("gates", "record"),
    "check_drift": ("render", "detect", "remediate", "judge", "record"),
    "rollback_service": ("choose", "rollout"),
    **dict.fromkeys(ROLLOUTS, ("request", "preflight", *COMMON, "apply", "release", "follow", "record")),
}


def chain(dag: DAG) -> tuple[str, ...]:
    """The tasks in order; they have to be one line."""
    ids = tuple(task.task_id for task in dag.tasks)
    for earlier, later in itertools.pairwise(ids):
        assert later in dag.get_task(earlier).downstream_task_ids, f"{dag.dag_id}: {earlier} does not lead to {later}"
    return ids


def test_there_is_a_dag_for_each_thing_that_meshflow_does(dags: Mapping[str, DAG]) -> None:
    assert {*PHASES, *OTHERS, *ROLLOUTS} <= set(dags)


@pytest.mark.parametrize("dag_id", SHAPES)
def test_the_tasks_are_one_line_of_this_shape(dags: Mapping[str, DAG], dag_id: str) -> None:
    assert chain(dags[dag_id]) == SHAPES[dag_id]


@pytest.mark.parametrize("dag_id", [dag_id for dag_id, shape in SHAPES.items() if "record" in shape])
def test_the_record_is_written_whatever_happened(dags: Mapping[str, DAG], dag_id: str) -> None:
    record = dags[dag_id].get_task("record")
    assert record.is_teardown
    assert not record.on_failure_fail_dagrun


@pytest.mark.parametrize("dag_id", [*PHASES, *OTHERS, *ROLLOUTS])
def test_somebody_on_call_can_use_it(dags: Mapping[str, DAG], dag_id: str) -> None:
    dag = dags[dag_id]
    assert dag.doc_md
    assert dag.doc_md.startswith("### ")
    assert "meshflow" in dag.tags
    assert len(dag.tags) > 1
    assert dag.owner == "platform"
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.dag_display_name != dag.dag_id
    assert len(dag.description.split()) > 5, f"{dag.description} says no more than the title"
    assert all(task.task_id.rpartition(".")[2] in dag.doc_md for task in dag.tasks if dag_id != "bootstrap_mesh")


@pytest.mark.parametrize("dag_id", [*PHASES, *OTHERS, *ROLLOUTS])
def test_every_parameter_is_a_typed_field_of_a_form(dags: Mapping[str, DAG], dag_id: str) -> None:
    for name in dags[dag_id].params:
        param: Param = dags[dag_id].params.get_param(name)
        assert param.schema.get("type"), name
        assert param.schema.get("title"), name
        assert param.description, name


@pytest.mark.parametrize("dag_id", [*PHASES, *OTHERS, *ROLLOUTS])
def test_every_dag_asks_which_cluster_and_how_careful(dags: Mapping[str, DAG], dag_id: str) -> None:
    params = dags[dag_id].params
    assert {"cluster", "dry_run", "approve"} <= set(params)
    assert params.get_param("cluster").schema["enum"] == list(settings.load().clusters)


def test_the_form_begins_with_what_the_pipeline_is_about(dags: Mapping[str, DAG]) -> None:
    assert next(iter(dags["rollout_frontend"].params)) == "image"
    assert next(iter(dags["rollback_service"].params)) == "service"
    assert next(iter(dags["check_drift"].params)) == "remediate"


@pytest.mark.parametrize("dag_id", [*PHASES, *OTHERS, *ROLLOUTS])
def test_every_task_of_ours_is_retried_by_our_rule(dags: Mapping[str, DAG], dag_id: str) -> None:
    for task in dags[dag_id].tasks:
        assert isinstance(task.retry_policy, MeshflowRetries), task.task_id


def test_there_is_one_rollout_for_each_service_and_no_other(dags: Mapping[str, DAG]) -> None:
    assert tuple(sorted(dag_id for dag_id in dags if dag_id.startswith("rollout_"))) == ROLLOUTS


def test_the_bootstrap_runs_every_phase_in_order_then_every_service_then_the_proof(dags: Mapping[str, DAG]) -> None:
    dag = dags["bootstrap_mesh"]
    triggered = {task.task_id: task.trigger_dag_id for task in dag.tasks}
    assert sorted(triggered.values()) == sorted([*PHASES, *ROLLOUTS, "verify_observability"])
    assert set(triggered.values()) <= set(dags)
    for earlier, later in itertools.pairwise(PHASES):
        assert dag.get_task(earlier).downstream_task_ids == {later}
    for name in SERVICES:
        task = dag.get_task(f"services.{name}")
        assert (task.upstream_task_ids, task.downstream_task_ids) == ({"deploy_flagger"}, {"verify_observability"})


def test_the_bootstrap_passes_on_what_it_was_asked(dags: Mapping[str, DAG]) -> None:
    for task in dags["bootstrap_mesh"].tasks:
        assert {"cluster", "dry_run", "approve"} <= set(task.conf)
        assert task.wait_for_completion
        assert task.retries == 0  # a phase that fails is not run four times


def test_where_mesh_yaml_wants_a_person_asked_the_bootstrap_asks_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(settings.load().file.parent, tmp_path / "include")
    file = tmp_path / "include/mesh.yaml"
    mesh = yaml.safe_load(file.read_text())
    for phase in ("mtls", "flagger"):
        mesh["phases"][phase]["approve"] = True
    file.write_text(yaml.safe_dump(mesh))
    monkeypatch.setenv("MESHFLOW_MESH", str(file))
    dags = loaded()
    confs = {task.trigger_dag_id: task.conf["approve"] for task in dags["bootstrap_mesh"].tasks}
    assert {dag_id for dag_id, asked in confs.items() if asked is True} == {"secure_mesh", "deploy_flagger"}
    assert {dag_id for dag_id in PHASES if dags[dag_id].params["approve"]} == {"secure_mesh", "deploy_flagger"}


def test_what_a_rollback_chose_reaches_the_rollout_as_it_is(dags: Mapping[str, DAG]) -> None:
    task: Any = dags["rollback_service"].get_task("rollout")
    chosen = {"image": "6.10", "reason": "2026", "dry_run": False, "requested_by": "rollback_service"}
    ti = type("Chosen", (), {"xcom_pull": staticmethod(lambda task_ids: chosen)})()
    task.render_template_fields({"ti": ti, "params": {"service": "data-analysis"}})
    assert (task.conf, task.trigger_dag_id) == (chosen, "rollout_data-analysis")


def test_the_drift_check_runs_by_itself_and_the_others_do_not(dags: Mapping[str, DAG]) -> None:
    scheduled = [dag_id for dag_id, dag in dags.items() if dag.schedule is not None]
    assert scheduled == ["check_drift"]


def test_the_drift_check_looks_at_every_phase_and_service(dags: Mapping[str, DAG]) -> None:
    render: Any = dags["check_drift"].get_task("render")
    assert render.bundles == [*settings.load().phases, *(f"service-{name}" for name in SERVICES)]


def test_every_dag_can_be_stored(dags: Mapping[str, DAG]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert set(again.task_ids) == set(dag.task_ids)
