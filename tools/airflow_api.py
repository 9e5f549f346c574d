"""The few calls of Airflow's public REST API that the demo and the scenario tests make."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx

ENDED = ("success", "failed")


class AirflowApi:
    """A logged-in client; every call raises httpx.HTTPStatusError on an error answer."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def login(self, user: str, password: str) -> None:
        """Exchange name and password for a token."""
        answer = self._http.post("/auth/token", json={"username": user, "password": password})
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> Any:
        """The decoded answer to a GET below /api/v2."""
        answer = self._http.get(f"/api/v2/{path}", params=params)
        answer.raise_for_status()
        return answer.json()

    def page(self, path: str) -> str:
        """A page outside of the API, as text."""
        answer = self._http.get(f"/{path}")
        answer.raise_for_status()
        return answer.text

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """The decoded answer to a PATCH below /api/v2."""
        answer = self._http.patch(f"/api/v2/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def dags(self) -> list[str]:
        """The ids of all DAGs that were parsed."""
        return [dag["dag_id"] for dag in self.get("dags", limit=200)["dags"]]

    def import_errors(self) -> list[str]:
        """One line for each DAG file that could not be imported."""
        found = self.get("importErrors")["import_errors"]
        return [f"{item['filename']}: {item['stack_trace'].strip().splitlines()[-1]}" for item in found]

    def trigger(self, dag_id: str, *, run_id: str | None = None, **conf: Any) -> str:
        """Start a run; returns its id. A run id that exists already is a 409.

        Airflow on SQLite answers 500 when its own requests held each other up; then it is asked again.
        """
        body: dict[str, Any] = {"logical_date": None, "conf": conf}
        if run_id:
            body["dag_run_id"] = run_id
        for _ in range(3):
            answer = self._http.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
            if answer.status_code != 500:
                break
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        found: dict[str, Any] = self.get(f"dags/{dag_id}/dagRuns/{run_id}")
        return found

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the newest first."""
        found: list[dict[str, Any]] = self.get(f"dags/{dag_id}/dagRuns", order_by="-id", limit=20)["dag_runs"]
        return found

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run by task id."""
        found = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
        return {item["task_id"]: item for item in found}

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task left behind, None when it left nothing under that key."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self._http.get(f"/api/v2/{path}", params={"deserialize": "true"})
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()["value"]

    def why(self, dag_id: str, run_id: str) -> str:
        """The sentence of the first failed task that left one, looked for in the runs that this one triggered too."""
        failed = [task for task, item in self.tasks(dag_id, run_id).items() if item["state"] == "failed"]
        for task in failed:
            if failure := self.xcom(dag_id, run_id, task, "failure"):
                return f"{dag_id}.{task}: {failure['message']}"
        for task in failed:
            if child := self.xcom(dag_id, run_id, task, "trigger_run_id"):
                name = task.removeprefix("services.")
                return self.why(name if name in self.dags() else f"rollout_{name}", child)
        return f"{dag_id}: {', '.join(failed) or 'no task'} failed; the UI has the logs"

    def log(self, dag_id: str, run_id: str, task_id: str, *, attempt: int = 1) -> str:
        """A task's log as plain lines."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        content = self.get(path, full_content="true")["content"]
        lines = (item.get("event", "") if isinstance(item, dict) else str(item) for item in content)
        return "\n".join(lines)

    def until_ended(self, dag_id: str, run_id: str, *, seconds: float, every: float = 0.5) -> Iterator[dict[str, Any]]:
        """The run as it is, again and again until it ended; TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.run(dag_id, run_id)
            yield seen
            if seen["state"] in ENDED:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} is still {seen['state']} after {seconds:.0f} s")
            time.sleep(every)

    def wait(self, dag_id: str, run_id: str, *, seconds: float = 180) -> str:
        """The state in which a run ended."""
        state = ""
        for seen in self.until_ended(dag_id, run_id, seconds=seconds):
            state = seen["state"]
        return state
