"""The webhook's side of Airflow's database: what waits, in which order, and what may be ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow.models import DagRun
from airflow.models.log import Log
from airflow.sdk import timezone
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import delete, select

from meshflow import errors
from meshflow.release.policy import Running, Waiting
from meshflow.web.runs import AirflowRuns, webhook_secret

DAG_ID = "rollout_web"
DIGESTS = [f"sha256:{letter * 64}" for letter in "abc"]


@pytest.fixture(scope="module")
def database() -> None:
    """Airflow's tables, in the temporary home of the tests."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def runs(database: None) -> Iterator[AirflowRuns]:
    yield AirflowRuns()
    with create_session() as session:
        session.execute(delete(DagRun))
        session.execute(delete(Log))


def add(run: str, state: DagRunState, *, image: str = "", dag_id: str = DAG_ID, by: str = "webhook:ghcr") -> None:
    now = timezone.utcnow()
    with create_session() as session:
        session.add(
            DagRun(
                dag_id=dag_id,
                run_id=run,
                run_type=DagRunType.MANUAL,
                run_after=now,
                state=state,
                conf={"image": image},
                triggering_user_name=by,
            )
        )


def state(run: str) -> str:
    with create_session() as session:
        return str(session.scalar(select(DagRun.state).where(DagRun.run_id == run)))


def test_the_queue_is_what_has_not_ended_in_the_order_in_which_it_was_asked_for(runs: AirflowRuns) -> None:
    add("over", DagRunState.SUCCESS)
    add("now", DagRunState.RUNNING, image=f"ghcr.io/acme/web:1@{DIGESTS[0]}")
    add("next", DagRunState.QUEUED, image=f"ghcr.io/acme/web@{DIGESTS[1]}")
    add("by-hand", DagRunState.QUEUED, image="2", by="alice")
    add("other", DagRunState.QUEUED, dag_id="rollout_api")
    queue = runs.queue(DAG_ID)
    assert queue.running == Running("now", DIGESTS[0])
    assert queue.waiting == (Waiting("next", DIGESTS[1]), Waiting("by-hand", "", pushed=False))
    assert runs.queue("rollout_other").running is None


def test_a_run_is_known_for_as_long_as_airflow_knows_it(runs: AirflowRuns) -> None:
    add("over", DagRunState.FAILED)
    assert runs.exists(DAG_ID, "over")
    assert not runs.exists(DAG_ID, "never")
    assert not runs.exists("rollout_api", "over")


def test_only_what_waits_is_dropped_and_the_audit_log_says_so(runs: AirflowRuns) -> None:
    add("now", DagRunState.RUNNING)
    add("next", DagRunState.QUEUED)
    for run in ("now", "next", "never"):
        runs.drop(DAG_ID, run, note="rollout__web__abc took its place")
    assert (state("now"), state("next")) == ("running", "failed")
    with create_session() as session:
        (line,) = session.scalars(select(Log).where(Log.event == "image_push"))
        assert (line.dag_id, line.run_id) == (DAG_ID, "next")
        assert "took its place" in str(line.extra)


def test_a_dag_that_airflow_does_not_know_is_one_sentence(runs: AirflowRuns) -> None:
    with pytest.raises(errors.NotFound, match=r"rollout_nobody .*Is its file imported"):
        runs.start("rollout_nobody", "run", conf={}, by="webhook:ghcr", note="a push")


@pytest.mark.parametrize(
    ("connection", "secret"),
    [(None, None), ("", None), ('{"conn_type": "generic"}', None), ('{"conn_type": "generic", "password": "p"}', "p")],
)
def test_the_secret_is_the_password_of_the_connection(runs, monkeypatch, connection, secret) -> None:
    if connection is not None:
        monkeypatch.setenv("AIRFLOW_CONN_MESHFLOW_WEBHOOK", connection)
    assert webhook_secret() == secret
