"""Run our operators as a scheduler would, without one: XComs in a dict, triggers run where the task deferred."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from meshflow.triggers.cluster import hub_of
from tests.conftest import PATIENCE
from tools.cluster_api import ClusterApi

Obj = dict[str, Any]
MESH = """
istio: {version: 1.30.3}
charts: {repositories: {istio: https://charts.example.com/istio}}
prometheus: {namespace: observability, service: prometheus-server, port: 80}
grafana: {namespace: observability, service: grafana, port: 80}
kiali: {namespace: observability, service: kiali, port: 20001}
phases:
"""


class Notes(dict[str, Any]):
    """The task state store: what a task notes for its next try."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class TaskInstance:
    """XComs of one run. What is pushed has to survive JSON, as in Airflow's database."""

    def __init__(self, run: Run, task_id: str) -> None:
        self.run, self.task_id = run, task_id

    def xcom_pull(self, *, task_ids: str, key: str = "return_value") -> Any:
        assert task_ids, "Airflow finds no task without a name"
        return self.run.xcoms.get((task_ids, key))

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        """A task that left something counts as one that succeeded, unless the test says otherwise."""
        assert (dag_id, run_ids) == (self.run.dag_id, [self.run.run_id])
        return {self.run.run_id: {**{name: "success" for name, _ in self.run.xcoms}, **self.run.states}}

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.run.xcoms[self.task_id, key] = json.loads(json.dumps(value))


class Run:
    """One DAG run: params, XComs and notes of its tasks."""

    def __init__(self, run_id: str = "test-run", *, dag_id: str = "test", **params: Any) -> None:
        self.run_id, self.dag_id = run_id, dag_id
        self.params: dict[str, Any] = {"cluster": "default", "dry_run": False, "approve": False, **params}
        self.xcoms: dict[tuple[str, str], Any] = {}
        self.notes: dict[str, Notes] = {}
        self.states: dict[str, str] = {}
        self.deferred: list[TaskDeferred] = []

    def context(self, task: BaseOperator, *, tasks: Iterable[str] = ()) -> Any:
        known = sorted({task.task_id, *tasks, *(name for name, _ in self.xcoms)})
        return {
            "ti": TaskInstance(self, task.task_id),
            "params": self.params,
            "run_id": self.run_id,
            "dag": SimpleNamespace(dag_id=self.dag_id, task_ids=known),
            "dag_run": SimpleNamespace(run_id=self.run_id, run_type="manual", conf={}, triggering_user_name="tester"),
            "task_state_store": self.notes.setdefault(task.task_id, Notes()),
        }

    def execute(self, task: BaseOperator, *, wait: bool = True, after: TaskDeferred | None = None) -> Any:
        """The task's result, also kept as its XCom. Where it defers its trigger is run; TaskDeferred without `wait`.

        With `after` the task goes on where it deferred.
        """
        context = self.context(task)
        while True:
            method, kwargs = _resumption(after) if after else ("execute", {})
            try:
                result = getattr(task, method)(context, **kwargs)
                break
            except TaskDeferred as deferral:
                self.deferred.append(deferral)
                if not wait:
                    raise
                after = deferral
        TaskInstance(self, task.task_id).xcom_push(key="return_value", value=result)
        return result

    def failure(self, task_id: str) -> str:
        """The sentence that a failed task left for the record."""
        return str(self.xcoms[task_id, "failure"]["message"])


def _resumption(deferral: TaskDeferred) -> tuple[str, dict[str, Any]]:
    """The method that a task goes on with, and its arguments, after its trigger fired."""
    kwargs = json.loads(json.dumps(deferral.kwargs or {}))
    return deferral.method_name, {"event": fire(deferral.trigger), **kwargs}


def fire(trigger: Any, *, seconds: float = PATIENCE) -> Any:
    """The payload of a trigger's first event, made from its serialised form as a triggerer does."""
    path, kwargs = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    rebuilt = type(trigger)(**json.loads(json.dumps(kwargs)))

    async def first() -> Any:
        try:
            async with asyncio.timeout(seconds), aclosing(rebuilt.run()) as events:
                async for event in events:
                    return event.payload
        finally:
            await hub_of("default").close()
            await asyncio.sleep(0.01)  # aiohttp's connections close a turn of the loop later

    return asyncio.run(first())


class World:
    """A small declared mesh on the shared sandbox: manifests are written, tasks are run, the cluster is looked at."""

    def __init__(self, root: Path, cluster: ClusterApi, namespace: str) -> None:
        self.root, self.cluster, self.namespace = root, cluster, namespace
        self.home = root / "home"
        self.phases: dict[str, Any] = {}

    def phase(self, name: str, objects: Sequence[Obj], *, stage: str | None = None, **rules: Any) -> None:
        """Declare (a stage of) a phase: its manifests and its rules."""
        file = f"{name}/{stage or 'all'}.yaml"
        self.write(f"include/manifests/{file}", yaml.safe_dump_all(objects))
        phase = self.phases.setdefault(name, {"sources": []})
        source = {"path": file, **({"stage": stage} if stage else {})}
        if source not in phase["sources"]:
            phase["sources"].append(source)
        phase.update(rules)
        self._write_mesh()

    def service(self, name: str, objects: Sequence[Obj]) -> None:
        """Declare a service."""
        self.write(f"include/manifests/services/{name}/all.yaml", yaml.safe_dump_all(objects))
        self._write_mesh()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def _write_mesh(self) -> None:
        declared = {**yaml.safe_load(MESH), "phases": self.phases, "services": {"namespace": self.namespace}}
        self.write("include/mesh.yaml", yaml.safe_dump(declared))

    def writes(self) -> int:
        """How often Meshflow wrote; the cluster's own controllers may write at any time."""
        writers = self.cluster.control("GET", "status")["writers"]
        return sum(count for writer, count in writers.items() if writer.startswith("meshflow"))

    def config(self, name: str, **data: str) -> Obj:
        """A ConfigMap in the world's namespace."""
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def live(self, kind: str, name: str) -> Obj | None:
        """An object in the world's namespace: `configmaps`, `apps/v1/deployments`, …"""
        *group, plural = kind.split("/")
        prefix = f"/apis/{'/'.join(group)}" if group else "/api/v1"
        found: Obj | None = self.cluster.get(f"{prefix}/namespaces/{self.namespace}/{plural}/{name}")
        return found

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds that the cluster's controllers bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def pods(self, app: str) -> list[Obj]:
        """The pods of a workload."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        found: list[Obj] = self.cluster.get(path, labelSelector=f"app={app}")["items"]
        return found

    def version(self, kind: str, name: str) -> str:
        found = self.live(kind, name)
        return str(found["metadata"]["resourceVersion"]) if found else ""


def deployment(name: str, namespace: str, *, image: str = "ghcr.io/acme/web:1", replicas: int = 1) -> Obj:
    """A Deployment with one container called `main`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


def rendered(bundles: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What the task `render` leaves behind, from bundle → digest."""
    return {bundle: {"digest": digest} for bundle, digest in bundles.items()}
