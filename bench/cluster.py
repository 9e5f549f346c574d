"""A sandbox of our own, and the objects that are worked on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshflow.objects.parsing import Desired
from tools.cluster_api import ClusterApi
from tools.processes import Process, stop_all

ROOT = Path(__file__).resolve().parent.parent
Obj = dict[str, Any]


@contextmanager
def sandbox(folder: Path) -> Iterator[ClusterApi]:
    """A fresh cluster, stopped at the end. Its kubeconfig is `folder`/kubeconfig."""
    state = folder / "sandbox"
    command = [sys.executable, "-m", "sandbox", "up", "--port", "0", "--state", str(state)]
    command += ["--kubeconfig", str(folder / "kubeconfig")]
    process = Process("sandbox", command, env=environment(), log=folder / "sandbox.log", cwd=ROOT)
    process.start()
    try:
        process.until((state / "state.json").exists, seconds=20)
        api = ClusterApi(folder / "kubeconfig")
        try:
            yield api
        finally:
            api.close()
    finally:
        stop_all([process])


def environment() -> dict[str, str]:
    """Ours, with the packages on the path."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}"}


def requests(api: ClusterApi) -> int:
    """How many requests the server has answered."""
    counted: dict[str, int] = api.control("GET", "status")["requests"]
    return sum(counted.values())


def objects(namespace: str, count: int) -> list[Obj]:
    """A namespace and `count` objects in it: Deployments without pods, Services and ConfigMaps, a third each."""
    makers = (_deployment, _service, _config)
    made = [makers[number % 3](f"thing-{number:04}") for number in range(count)]
    for obj in made:
        obj["metadata"]["namespace"] = namespace
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, *made]


def desired(objs: list[Obj]) -> list[Desired]:
    """The same as the engine takes them."""
    return [Desired(obj, "bench") for obj in objs]


def _deployment(name: str) -> Obj:
    container = {
        "name": "app",
        "image": "nginx:1.29",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "resources": {"requests": {"cpu": "0.1", "memory": "64Mi"}},
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def _service(name: str) -> Obj:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _config(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"greeting": name}}
