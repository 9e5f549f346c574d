"""The stage: one Airflow and one simulated cluster for all scenarios, and for what a browser shows of them.

The declared mesh is a copy of include/, so that a scenario may break a manifest or the lock file for a while. Besides
the good cluster it names some that cannot be worked with: see `BAD_CLUSTERS`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.scene import Scene
from tools.stack import ROOT, Stack

SPEED = 15
BAD_CLUSTERS = ("unreachable", "expired", "stranger", "missing")
STRANGER = [{"verbs": ["get"], "resources": ["configmaps"]}]  # of all the rights, this one


def staged(home: Path) -> Iterator[Scene]:
    """Airflow and an empty cluster, stopped when the generator ends."""
    stack = Stack(home, speed=SPEED)
    stack.env["MESHFLOW_MESH"] = str(declared(home))
    try:
        stack.start_sandbox()
        stack.env |= connections(stack)
        stack.lock_charts()
        stack.start_airflow()
        yield Scene(stack)
    finally:
        stack.stop()


def declared(home: Path) -> Path:
    """A copy of include/, with more clusters and without a schedule; returns its mesh.yaml."""
    shutil.copytree(ROOT / "include", home / "include")
    file = home / "include/mesh.yaml"
    mesh = yaml.safe_load(file.read_text())
    mesh["clusters"] |= {name: {"connection": f"{name}_cluster"} for name in BAD_CLUSTERS}
    mesh["drift"] = {"schedule": None}
    file.write_text(yaml.safe_dump(mesh, sort_keys=False))
    return file


def connections(stack: Stack) -> dict[str, str]:
    """Airflow connections of the bad clusters; `missing` has none."""
    config = yaml.safe_load(stack.kubeconfig.read_text())

    def token(**rights: Any) -> str:
        return str(stack.cluster.control("POST", "tokens", rights)["token"])

    away = json.loads(json.dumps(config))
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    return {
        "AIRFLOW_CONN_UNREACHABLE_CLUSTER": connection(away),
        "AIRFLOW_CONN_EXPIRED_CLUSTER": connection(with_token(config, token(user="old", expires_in=0.001))),
        "AIRFLOW_CONN_STRANGER_CLUSTER": connection(with_token(config, token(user="stranger", rules=STRANGER))),
    }


def with_token(config: dict[str, Any], token: str) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(config))
    changed["users"][0]["user"] = {"token": token}
    return changed


def connection(config: dict[str, Any]) -> str:
    return json.dumps({"conn_type": "kubernetes", "extra": {"kube_config": config}})
