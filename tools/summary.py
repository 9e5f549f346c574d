"""What `make demo` ends with: a table of what happened, with objects, gates and times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.airflow_api import AirflowApi


@dataclass
class Row:
    """One line of the summary."""

    step: str
    result: str
    details: str
    seconds: float


@dataclass
class Summary:
    """The lines so far, and the gates of the phases with their DAG."""

    rows: list[Row] = field(default_factory=list)
    gates: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, api: AirflowApi, dag_id: str) -> None:
        """The newest run of a DAG: how it ended, the objects that it planned and made, and its gates."""
        run = api.runs(dag_id)[0]
        counts: dict[str, int] = {}
        gates: list[dict[str, Any]] = []
        for task in api.tasks(dag_id, run["dag_run_id"]):
            result = api.xcom(dag_id, run["dag_run_id"], task)
            if isinstance(result, dict) and "counts" in result and "set" in result:
                for action, number in result["counts"].items():
                    counts[action] = counts.get(action, 0) + number
            gates += api.xcom(dag_id, run["dag_run_id"], task, "evidence") or []
        if not dag_id.startswith("rollout_"):
            self.gates += [(dag_id, verdict) for verdict in gates]
        objects = ", ".join(f"{number} {action}" for action, number in sorted(counts.items()))
        good = sum(verdict["result"] == "pass" for verdict in gates)
        passed = f"{good} of {len(gates)} gates" if gates else ""
        outcome = (api.xcom(dag_id, run["dag_run_id"], "follow", "outcome") or {}).get("outcome")
        details = "; ".join(filter(None, (objects, passed)))
        self.rows.append(Row(dag_id, outcome or run["state"], details, run.get("duration") or 0.0))

    def print(self, console: Console) -> None:
        """Both tables; that of the gates only where there are some."""
        if self.gates:
            console.print(self._gates_table())
        table = Table(title="What happened")
        for name in ("step", "result", "details"):
            table.add_column(name, overflow="fold")
        table.add_column("time", justify="right", overflow="fold")
        for row in self.rows:
            table.add_row(row.step, row.result, row.details, f"{row.seconds:.1f} s")
        console.print(table)

    def _gates_table(self) -> Table:
        table = Table(title="Gates of the phases")
        for name in ("phase", "gate", "result", "what was seen", "numbers"):
            table.add_column(name, overflow="fold")
        for dag_id, verdict in self.gates:
            numbers = ", ".join(f"{name} {_number(value)}" for name, value in verdict["numbers"].items())
            table.add_row(dag_id, verdict["gate"], verdict["result"], verdict["reason"], numbers)
        return table


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
