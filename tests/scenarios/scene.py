"""What the scenarios do and look at: runs through Airflow's API, objects through the cluster's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from meshflow.release import record
from tools.airflow_api import AirflowApi
from tools.cluster_api import ClusterApi
from tools.stack import Stack

Obj = dict[str, Any]
NAMESPACE = "weather"
PODINFO = "ghcr.io/stefanprodan/podinfo"
ENDED = ("success", "failed")
PATIENCE = 600.0  # seconds: a bootstrap takes one minute on an idle machine, and four on one busy core


class Ended(NamedTuple):
    """A run that is over."""

    dag_id: str
    run_id: str
    state: str


class Scene:
    """The stack with the questions that scenarios ask."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @property
    def api(self) -> AirflowApi:
        return self.stack.api

    @property
    def cluster(self) -> ClusterApi:
        return self.stack.cluster

    # Runs

    def run(self, dag_id: str, **conf: Any) -> Ended:
        """Trigger a run and wait for its end."""
        return self.end(dag_id, self.api.trigger(dag_id, **conf))

    def end(self, dag_id: str, run_id: str) -> Ended:
        """Wait for the end of a run."""
        return Ended(dag_id, run_id, self.api.wait(dag_id, run_id, seconds=PATIENCE))

    def until(self, condition: Callable[[], Any], *, what: str) -> Any:
        """The first true answer of the condition; AssertionError naming `what` when patience ends."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert not self.stack.dead(), f"{self.stack.dead()} ended while waiting for {what}"
            assert time.monotonic() < deadline, f"still waiting for {what} after {PATIENCE:.0f} s"
            time.sleep(0.1)
        return found

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """One task instance."""
        return self.api.tasks(dag_id, run_id)[task_id]

    def reaches(self, dag_id: str, run_id: str, task_id: str, *states: str) -> str:
        """Wait until a task is in one of these states, and say in which."""

        def there() -> str:
            state = self.task(dag_id, run_id, task_id)["state"]
            assert state in states or state != "failed", f"{dag_id}.{task_id} failed: {self.failure(dag_id, run_id)}"
            return state if state in states else ""

        return str(self.until(there, what=f"{dag_id}.{task_id} to be {' or '.join(states)}"))

    def asked(self, dag_id: str) -> str:
        """A run of a phase that waits for a person's word about its plan.

        An answer within the first second would be lost: Airflow still counts the process that asked, and asks again.
        """
        run_id = self.api.trigger(dag_id, approve=True)
        self.reaches(dag_id, run_id, "approve", "awaiting_input")
        over, log = f"dag_id={dag_id}, task_id=approve, run_id={run_id}, ", self.stack.parts["scheduler"].log
        self.until(lambda: f"TaskInstance Finished: {over}" in log.read_text(errors="replace"), what="the asker to end")
        return run_id

    def cancel(self, dag_id: str, run_id: str) -> None:
        """What "Mark as failed" in the UI does to a run."""
        self.api.patch(f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})

    def failure(self, dag_id: str, run_id: str) -> str:
        """The sentence that the first failed task left; empty when none did."""
        for task in self.api.tasks(dag_id, run_id):
            if found := self.api.xcom(dag_id, run_id, task, "failure"):
                return str(found["message"])
        return ""

    def why(self, ended: Ended) -> str:
        """Why a run failed: its own sentence, or that of a run that it triggered."""
        return self.api.why(ended.dag_id, ended.run_id)

    def states(self, ended: Ended) -> dict[str, str]:
        """The state of each task of a run."""
        return {name: item["state"] for name, item in self.api.tasks(ended.dag_id, ended.run_id).items()}

    def record(self, ended: Ended) -> dict[str, Any]:
        """The record of a run; its chain has to hold."""
        path = Path(self.api.xcom(ended.dag_id, ended.run_id, "record")["path"])
        assert record.verify(path.parent) is None
        found: dict[str, Any] = json.loads(path.read_text())["document"]
        return found

    def records(self) -> list[Path]:
        """All records that there are."""
        return sorted((self.stack.home / "meshflow/records").rglob("*.json"))

    # The cluster

    def push(self, tag: str, *, error_rate: float = 0.0, latency_p99: float = 100.0) -> str:
        """Push an image whose pods will behave so; returns its digest."""
        body = {"image": f"{PODINFO}:{tag}", "error_rate": error_rate, "latency_p99": latency_p99}
        return str(self.cluster.control("POST", "push", body)["digest"])

    def deployment(self, name: str) -> Obj:
        """A Deployment of the application."""
        found: Obj = self.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}")
        return found

    def image(self, name: str) -> str:
        """The image of a Deployment's first container."""
        return str(self.deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"])

    def canary(self, name: str) -> Obj:
        """A Canary of the application."""
        found: Obj = self.cluster.get(f"/apis/flagger.app/v1beta1/namespaces/{NAMESPACE}/canaries/{name}")
        return found

    @contextmanager
    def fault(self, kind: str, **settings: Any) -> Iterator[None]:
        """A fault of the sandbox, for a while."""
        number = self.cluster.control("POST", "faults", {"kind": kind, **settings})["id"]
        try:
            yield
        finally:
            self.cluster.control("DELETE", "faults", {"id": number})

    @contextmanager
    def slowly(self, speed: float = 3) -> Iterator[None]:
        """The cluster lives more slowly for a while, so that something can be met in the middle."""
        self.cluster.control("POST", "speed", {"speed": speed})
        try:
            yield
        finally:
            self.cluster.control("POST", "speed", {"speed": self.stack.speed})

    @contextmanager
    def changed(self, path: str, text: str) -> Iterator[None]:
        """A file below the stack's home with other contents, for a while."""
        file = self.stack.home / path
        before = file.read_text()
        file.write_text(text)
        try:
            yield
        finally:
            file.write_text(before)

    def status(self) -> dict[str, Any]:
        """The sandbox's own account of itself."""
        found: dict[str, Any] = self.cluster.control("GET", "status")
        return found

    def rest(self) -> None:
        """Wait until nobody has written for a second, controllers included."""
        seen, since = -1, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            if (count := int(self.status()["writes"])) != seen:
                seen, since = count, time.monotonic()
            return time.monotonic() - since > 1

        self.until(quiet, what="the cluster to be at rest")

    def writes(self) -> int:
        """The server's counter of what Meshflow wrote."""
        writers = self.status()["writers"]
        return sum(count for writer, count in writers.items() if writer.startswith("meshflow"))

    def inventory(self) -> dict[str, Obj]:
        """Every object that Meshflow applied, as it is now, by `Kind.group namespace/name`."""
        sets = self.cluster.get("/api/v1/namespaces/meshflow-system/configmaps")["items"]
        plurals = self._plurals()
        found: dict[str, Obj] = {}
        for item in sets:
            for line in (item.get("data") or {}).get("objects", "").splitlines():
                found[line] = self.cluster.get(_path(line, plurals))
        return found

    def _plurals(self) -> dict[tuple[str, str], str]:
        """(group, kind) → collection prefix and plural, from discovery."""
        groups = self.cluster.get("/apis")["groups"]
        bases = [("", "/api/v1")]
        bases += [(group["name"], f"/apis/{group['preferredVersion']['groupVersion']}") for group in groups]
        return {
            (group, resource["kind"]): f"{base} {resource['name']}"
            for group, base in bases
            for resource in self.cluster.get(base)["resources"]
            if "/" not in resource["name"]
        }


def _path(line: str, plurals: dict[tuple[str, str], str]) -> str:
    kind_and_group, _, place = line.partition(" ")
    kind, _, group = kind_and_group.partition(".")
    namespace, _, name = place.rpartition("/")
    base, plural = plurals[group, kind].split()
    return f"{base}/namespaces/{namespace}/{plural}/{name}" if namespace else f"{base}/{plural}/{name}"


def written_by(obj: Obj, prefix: str = "meshflow") -> list[tuple[str, str]]:
    """(manager, time) of each of Meshflow's entries in an object's managed fields."""
    return sorted(
        (entry["manager"], entry.get("time", ""))
        for entry in obj["metadata"].get("managedFields", [])
        if entry["manager"].startswith(prefix)
    )
