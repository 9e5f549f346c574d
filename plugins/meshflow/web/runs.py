"""Airflow's runs as the webhook needs them. Internal parts of Airflow 3.3 are used here and in access.py only.

A plugin runs inside the API server, which may use the database. `trigger_dag` is used rather than the REST API because
a registry is no Airflow user: this works with any auth manager, and the run says which webhook it came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.api.common.trigger_dag import trigger_dag
from airflow.exceptions import DagNotFound, DagRunAlreadyExists
from airflow.models import Connection, DagRun, TaskInstance
from airflow.models.dagbag import DBDagBag
from airflow.models.log import Log
from airflow.models.xcom import XComModel
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select
from sqlalchemy.orm import Session

from meshflow import errors
from meshflow.operators.base import OUTCOME
from meshflow.release.outcome import Outcome
from meshflow.release.policy import Running, Waiting
from meshflow.web.app import CONNECTION
from meshflow.web.arrivals import Queue

EVENT = "image_push"
BY = "webhook:"  # before the name of the registry, as who triggered a run
FOLLOW = "follow"  # the task of dags/rollout_service.py that leaves the outcome
UNFINISHED = (DagRunState.RUNNING, DagRunState.QUEUED)


class AirflowRuns:
    """`arrivals.Runs` on Airflow's database. Each call is a transaction of its own."""

    def exists(self, dag_id: str, run: str) -> bool:
        """Whether there ever was such a run, as far as Airflow's database still knows."""
        return DagRun.find_duplicate(dag_id=dag_id, run_id=run) is not None

    def queue(self, dag_id: str) -> Queue:
        """What runs and what waits, in the order in which it was asked for."""
        with create_session(scoped=False) as session:
            chosen = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state.in_(UNFINISHED)).order_by(DagRun.id)
            return _queue(list(session.scalars(chosen)))

    def start(self, dag_id: str, run: str, *, conf: Mapping[str, Any], by: str, note: str) -> bool:
        """Queue a run; False when its id is taken. A paused DAG's run waits until somebody unpauses it."""
        try:
            trigger_dag(
                dag_id,
                triggered_by=DagRunTriggeredByType.REST_API,
                triggering_user_name=f"{BY}{by}",
                run_id=run,
                conf=dict(conf),
                note=note,
            )
        except DagRunAlreadyExists:
            return False
        except DagNotFound as problem:
            raise errors.NotFound(f"Airflow does not know the DAG {dag_id} (yet). Is its file imported?") from problem
        self._log(dag_id, run, by=f"{BY}{by}", extra=conf)
        return True

    def drop(self, dag_id: str, run: str, *, note: str) -> None:
        """Fail a run that has not begun."""
        with create_session(scoped=False) as session:
            chosen = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run).with_for_update()
            found = session.scalar(chosen)
            if found is None or found.state != DagRunState.QUEUED:
                return
            found.set_state(DagRunState.FAILED)
            found.note = note
        self._log(dag_id, run, by=EVENT, extra={"dropped": note})

    def supersede(self, dag_id: str, run: str, *, by: str) -> None:
        """Fail a run in the middle; its record is written all the same, and says that it was superseded."""
        message = f"the push of {by} took its place"
        with create_session(scoped=False) as session:
            found = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run))
            last = session.scalar(select(TaskInstance).filter_by(dag_id=dag_id, run_id=run, task_id=FOLLOW))
            dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
            if found is None or last is None or dag is None or last.state in State.finished:
                return
            _leave_outcome(dag_id, run, message, session=session)
            found.note = message
            set_dag_run_state_to_failed(dag=dag, run_id=run, commit=True, session=session)
            # What had not begun is skipped by that, and a run whose last task is skipped would count as a success.
            last.set_state(TaskInstanceState.FAILED, session=session)
        self._log(dag_id, run, by=EVENT, extra={"superseded": by})

    def _log(self, dag_id: str, run: str, *, by: str, extra: Mapping[str, Any]) -> None:
        """A line in Airflow's audit log."""
        with create_session(scoped=False) as session:
            session.add(Log(event=EVENT, dag_id=dag_id, run_id=run, owner=by, extra=json.dumps(dict(extra))))


def _leave_outcome(dag_id: str, run: str, message: str, *, session: Session) -> None:
    """What the task that follows would leave, for the record. A plain value: serialized it would be read as a text."""
    outcome = {"outcome": Outcome.SUPERSEDED.value, "message": message, "timeline": []}
    XComModel.set(OUTCOME, outcome, task_id=FOLLOW, dag_id=dag_id, run_id=run, serialize=False, session=session)


def webhook_secret() -> str | None:
    """The password of the connection `meshflow_webhook`; None when it is not there or has none."""
    try:
        return Connection.get_connection_from_secrets(CONNECTION).password or None
    except AirflowNotFoundException:
        return None


def _queue(runs: Sequence[DagRun]) -> Queue:
    running = next((item for item in runs if item.state == DagRunState.RUNNING), None)
    return Queue(
        Running(running.run_id, _digest(running), pushed=_pushed(running)) if running else None,
        tuple(Waiting(item.run_id, _digest(item), _pushed(item)) for item in runs if item.state == DagRunState.QUEUED),
    )


def _pushed(run: DagRun) -> bool:
    """Whether this webhook started the run, by the name under which it does."""
    return str(run.triggering_user_name or "").startswith(BY)


def _digest(run: DagRun) -> str:
    """The digest that a run was asked for; empty when it was asked for a tag, or for nothing."""
    return str((run.conf or {}).get("image") or "").partition("@")[2]
