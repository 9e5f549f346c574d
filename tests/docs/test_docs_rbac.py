"""docs/rbac.yaml gives enough rights for every pipeline: they run here with exactly these, from an empty cluster on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowSkipException
from httpx import HTTPStatusError

from meshflow import settings
from meshflow.clients import charts
from meshflow.objects.kinds import Kinds
from meshflow.operators import bundles
from meshflow.operators.apply import Apply
from meshflow.operators.plan import PlanTask
from meshflow.operators.render import Render
from meshflow.operators.rollout import AcceptRequest, Follow, SetImage
from meshflow.sensors.rollout import Preflight
from tests.conftest import ROOT, Sandbox, running_sandbox
from tests.docs import documents
from tests.operators.harness import Run
from tools.cluster_api import ClusterApi

MANIFEST = ROOT / "docs" / "rbac.yaml"
ACCOUNT = "system:serviceaccount:meshflow-system:meshflow"
PHASES = ("install_istio", "enable_injection", "secure_mesh", "deploy_observability", "deploy_flagger")


def objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def rules() -> list[dict[str, Any]]:
    """The rights of the account as {verbs, resources, namespace}, one entry for each rule of each binding."""
    roles = {(d["kind"], d["metadata"]["name"]): d["rules"] for d in objects() if d["kind"] in ("ClusterRole", "Role")}
    return [
        {
            "verbs": rule["verbs"],
            "resources": rule["resources"],
            "namespace": binding["metadata"].get("namespace"),
        }
        for binding in objects()
        if binding["kind"].endswith("Binding")
        for rule in roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]]
    ]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """A cluster with nothing in it but what docs/rbac.yaml makes, and a kubeconfig of the account."""
    home = tmp_path_factory.mktemp("rbac")
    for sandbox in running_sandbox(home, "--speed", "40"):
        admin = ClusterApi(sandbox.kubeconfig)
        for document in objects():
            kind = Kinds.builtin().of(document["apiVersion"], document["kind"])
            admin.create(kind.path(document["metadata"].get("namespace")), document)
        admin.close()
        token = sandbox.ask("POST", "tokens", {"user": ACCOUNT, "rules": rules()})["token"]
        config = yaml.safe_load(sandbox.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        (home / "limited").write_text(yaml.safe_dump(config))
        yield sandbox, home / "limited"


@pytest.fixture(scope="module")
def account(limited: tuple[Sandbox, Path]) -> Iterator[None]:
    """Meshflow is that account, with the mesh of include/mesh.yaml and the sandbox's charts and registry."""
    sandbox, kubeconfig = limited
    home = kubeconfig.parent
    with pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}
        patch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        patch.setenv("MESHFLOW_HOME", str(home / "meshflow"))
        patch.setenv("MESHFLOW_CHARTS_LOCK", str(home / "charts.lock"))
        patch.setenv("MESHFLOW_CHART_MIRROR", sandbox.facts["charts"])
        patch.setenv("MESHFLOW_REGISTRY_MIRROR", sandbox.facts["registry"])
        patch.delenv("MESHFLOW_MESH", raising=False)
        patch.setattr(ExecutorSafeguard, "test_mode", True)
        mesh = settings.load()
        charts.ChartStore(mesh.charts).lock(charts.wanted(mesh))
        yield


def run(run: Run, tasks: list[BaseOperator]) -> None:
    """All tasks in order; one that skips itself is passed over."""
    for task in tasks:
        task.cluster = "default"  # type: ignore[attr-defined]
        try:
            run.execute(task)
        except AirflowSkipException:
            continue


def tasks_of(dag_id: str) -> list[BaseOperator]:
    """The tasks of a DAG file in their order, without the record, which asks no cluster."""
    dag = importlib.import_module(f"dags.{dag_id}").render.dag
    return [task for task in dag.topological_sort() if task.task_id != "record"]


def rollout(service: str) -> list[BaseOperator]:
    """The tasks of the rollout DAG that ask the cluster."""
    bundle = bundles.of_service(service)
    return [
        AcceptRequest(task_id="request", service=service),
        Preflight(task_id="preflight", service=service),
        Render(task_id="render", bundles=[bundle]),
        PlanTask(task_id="plan", request_task="request"),
        Apply(task_id="apply", bundle=bundle, request_task="request", wait=False),
        SetImage(task_id="release", service=service),
        Follow(task_id="follow", service=service),
    ]


@pytest.fixture(scope="module")
def meshed(account: None) -> dict[str, Run]:
    """The runs that took the empty cluster to a mesh with one service, by DAG."""
    runs = {dag_id: Run(dag_id) for dag_id in PHASES}
    for dag_id, found in runs.items():
        run(found, tasks_of(dag_id))
    runs["frontend"] = Run("frontend")
    run(runs["frontend"], rollout("frontend"))
    return runs


def test_every_pipeline_runs_with_these_rights(meshed: dict[str, Run]) -> None:
    assert meshed["frontend"].xcoms["follow", "return_value"]["outcome"] == "succeeded"
    drift = Run("drift", remediate=True)
    run(drift, tasks_of("check_drift")[:-1])
    assert not drift.xcoms["detect", "return_value"]["unknown"]


@pytest.mark.parametrize("service", ["forecast", "archive"])
def test_a_service_of_the_guide_is_installed_and_released(
    meshed: dict[str, Run], limited: tuple[Sandbox, Path], service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHFLOW_MESH", str(documents.checkout(tmp_path) / "include" / "mesh.yaml"))
    first = Run(f"{service}-1")
    run(first, rollout(service))
    assert first.xcoms["follow", "return_value"]["outcome"] == "succeeded"
    limited[0].ask("POST", "push", {"image": "ghcr.io/stefanprodan/podinfo:guide", "error_rate": 0.0})
    second = Run(f"{service}-2", image="guide")
    run(second, rollout(service))
    assert second.xcoms["follow", "return_value"]["outcome"] == "succeeded"


def test_the_account_reads_no_secrets_elsewhere_and_removes_no_namespace(limited: tuple[Sandbox, Path]) -> None:
    cluster = ClusterApi(limited[1])
    try:
        assert cluster.get("/api/v1/namespaces/weather/secrets") is not None
        with pytest.raises(HTTPStatusError, match="403"):
            cluster.get("/api/v1/namespaces/kube-system/secrets")
        with pytest.raises(HTTPStatusError, match="403"):
            cluster.delete("/api/v1/namespaces/weather")
    finally:
        cluster.close()


def test_whoever_may_change_a_kind_may_also_make_it_and_grant_what_charts_grant() -> None:
    """A real cluster asks for `create` when an apply makes an object, and for `escalate` and `bind` for roles."""
    for rule in rules():
        if "patch" in rule["verbs"] and rule["resources"] != ["namespaces"]:
            assert "create" in rule["verbs"], rule
    granted = {(resource, verb) for rule in rules() for resource in rule["resources"] for verb in rule["verbs"]}
    assert {(kind, verb) for kind in ("clusterroles", "roles") for verb in ("escalate", "bind")} <= granted


def test_every_namespace_of_the_mesh_is_there_and_may_be_labelled() -> None:
    made = {d["metadata"]["name"] for d in objects() if d["kind"] == "Namespace"}
    labelled = {
        name
        for d in objects()
        if d["kind"] == "ClusterRole"
        for rule in d["rules"]
        for name in rule.get("resourceNames", [])
    }
    mesh = settings.load(environ={})
    used = {item.name for item in mesh.injection.namespaces} | {mesh.services.namespace, mesh.prometheus.namespace}
    used |= {source.namespace for _, _, source in mesh.chart_sources()}
    assert made == labelled
    assert used <= made
