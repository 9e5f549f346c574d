"""The last task of every run, whatever became of the others: what happened, as one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from meshflow.hooks import store
from meshflow.operators.base import EVIDENCE, FAILURE, OUTCOME, WRITTEN, MeshOperator

PARTS = {"rendered": "render", "plan": "plan", "approval": "approve", "apply": "apply"}
"""What every phase leaves; `parts` adds to it or says otherwise. A task that a DAG does not have leaves nothing."""

NOT_RUN = frozenset({"upstream_failed", "skipped", "removed"})
"""States of tasks that left nothing in this try: what they left in an earlier one stays until they start again."""


class Record(MeshOperator):
    """Write the run's record into the chain `chain` and return its hash and place.

    It is a teardown: it runs after a failure too, and does not hide it, since the state of a run comes from the other
    tasks. (Airflow lets a teardown either count for the run's state or leave it to the task before it, not both; so a
    record that cannot be written is a red task in a run that keeps its state.) `parts` maps words of the record to the
    tasks whose results they are; `outcome` is the task that leaves how a release ended.
    """

    template_fields = ("cluster", "chain")
    ui_color = "#eeeeee"

    def __init__(
        self,
        *,
        chain: str,
        parts: Mapping[str, str] | None = None,
        gates: Sequence[str] = (),
        outcome: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chain, self.outcome = chain, outcome
        self.parts = {**PARTS, **(parts or {})}
        self.gates = list(gates)

    @classmethod
    def of_run(cls, **kwargs: Any) -> Record:
        """The task `record` as the run's teardown."""
        record = cls(task_id="record", **kwargs)
        record.as_teardown()
        return record

    def work(self, context: Context) -> dict[str, Any]:
        """Collect what the other tasks left behind and append it to the chain."""
        from meshflow.release import record

        written = record.append(store.records(self.chain), self._document(context))
        self.log.info("Record %s (sha256 %s)", written.path, written.sha256)
        return {"path": str(written.path), "sha256": written.sha256}

    def _document(self, context: Context) -> dict[str, Any]:
        ti, run, dag_id = context["ti"], context["dag_run"], context["dag"].dag_id
        states = ti.get_task_states(dag_id=dag_id, run_ids=[run.run_id]).get(run.run_id, {})
        tasks = sorted(task for task, state in states.items() if task != self.task_id and state not in NOT_RUN)
        ended = ti.xcom_pull(task_ids=self.outcome, key=OUTCOME) if self.outcome in tasks else None
        failed = {task for task in tasks if states[task] == "failed" and not (ended and task == self.outcome)}
        failures = [found for task in tasks if (found := _failure(ti, task, failed=task in failed))]
        asked = [task for task in self.gates if task in tasks]
        gates = [verdict for task in asked for verdict in ti.xcom_pull(task_ids=task, key=EVIDENCE) or []]
        parts = {word: task for word, task in self.parts.items() if task in context["dag"].task_ids}
        return {
            "dag": dag_id,
            "run": run.run_id,
            "cluster": self.cluster,
            "trigger": {
                "type": str(run.run_type),
                "by": getattr(run, "triggering_user_name", None),
                "conf": run.conf or {},
                "params": dict(context["params"]),
            },
            **{word: _lean(_left(ti, task)) if task in tasks else None for word, task in parts.items()},
            "gates": gates,
            "outcome": ended,
            "failures": failures,
        }


def _failure(ti: Any, task: str, *, failed: bool) -> Any:
    """The sentence of a failed task; one that was killed, marked, or ended by Airflow's own limits has left none."""
    found = ti.xcom_pull(task_ids=task, key=FAILURE)
    if found or not failed:
        return found
    return {"task": task, "error": "Failed", "message": f"{task} failed without a sentence of its own; see its log"}


def _left(ti: Any, task: str) -> Any:
    """A task's result; of one that failed half-way what it had written by then."""
    result, written = ti.xcom_pull(task_ids=task), ti.xcom_pull(task_ids=task, key=WRITTEN)
    return {"writes": written} if result is None and written else result


def _lean(result: Any) -> Any:
    """A task's result without what only the approval page needs."""
    if not isinstance(result, Mapping):
        return result
    return {key: value for key, value in result.items() if key not in ("markdown", "approvable")}
