"""A declared mesh of a test's own, on the shared sandbox."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from tests.conftest import Sandbox
from tests.operators.harness import World
from tools.cluster_api import ClusterApi

INVENTORIES = "/api/v1/namespaces/meshflow-system/configmaps"


@pytest.fixture
def world(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The mesh: nothing is declared yet, its namespace exists, and no inventory is left from another test."""
    cluster = ClusterApi(sandbox.kubeconfig)
    for found in (cluster.get(INVENTORIES) or {"items": []})["items"]:
        cluster.delete(f"{INVENTORIES}/{found['metadata']['name']}")
    namespace = f"mesh-{uuid.uuid4().hex[:8]}"
    cluster.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(sandbox.kubeconfig)}}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("MESHFLOW_MESH", str(tmp_path / "include/mesh.yaml"))
    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESHFLOW_REGISTRY_MIRROR", sandbox.facts["registry"])
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    monkeypatch.setattr("meshflow.operators.drift.SETTLE", 0.0)  # there is no mesh here that could still settle
    yield World(tmp_path, cluster, namespace)
    cluster.delete(f"/api/v1/namespaces/{namespace}")
    cluster.close()
