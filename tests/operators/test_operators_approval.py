"""Who is asked about a plan, what the answer allows to be written, and that a dry run writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from meshflow import errors
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.base import MeshOperator
from meshflow.operators.permit import Permit
from meshflow.operators.render import Render
from meshflow.operators.restart import Restart
from meshflow.operators.rollout import SetImage
from tests.operators.harness import Run, World
from tests.operators.phase import applied, apply, approved, plan, planned


def test_a_dry_run_ends_at_the_approval(world: World) -> None:
    world.phase("istio", [world.config("a")])
    run = planned(Run(dry_run=True))
    with pytest.raises(AirflowSkipException, match="dry run: istio: 1 create, nothing was written"):
        run.execute(ApprovePlan(task_id="approve"))


def test_nobody_is_asked_about_a_plan_that_changes_nothing(world: World) -> None:
    world.phase("istio", [world.config("a")])
    applied(Run("first"))
    run = planned(Run("second", approve=True))
    assert run.execute(ApprovePlan(task_id="approve")) == {"decision": "nothing to approve"}


def test_nobody_is_asked_where_approval_is_off(world: World) -> None:
    world.phase("istio", [world.config("a")])
    assert planned(Run()).execute(ApprovePlan(task_id="approve")) == {"decision": "not asked"}


def answer(option: str, *, user: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime(2026, 1, 1, tzinfo=UTC),
        "responded_by_user": user,
        "timedout": False,
    }


def test_the_answer_says_who_approved_and_when() -> None:
    task = ApprovePlan(task_id="approve")
    found = task.execute_complete(Run().context(task), answer("Approve", user={"id": "1", "name": "alice"}))
    assert found == {"decision": "approved", "by": "alice", "at": "2026-01-01T00:00:00+00:00"}


def test_a_rejection_fails_the_run_and_is_not_tried_again() -> None:
    task, run = ApprovePlan(task_id="approve"), Run()
    with pytest.raises(errors.Permanent, match="rejected by bob; nothing was written"):
        task.execute_complete(run.context(task), answer("Reject", user={"id": "2", "name": "bob"}))
    assert "rejected by bob" in run.failure("approve")


def test_a_write_that_nobody_approved_is_not_made(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red"), world.config("b", colour="red")])
    applied(Run("first"))
    world.phase("istio", [world.config("a", colour="blue"), world.config("b", colour="red")])
    run = approved(planned(Run("second", approve=True)))
    path = f"/api/v1/namespaces/{world.namespace}/configmaps/b"
    world.cluster.delete(path)  # between plan and apply
    before = world.version("configmaps", "a")
    with pytest.raises(errors.Stale, match=rf"not part of the approved plan.*ConfigMap/{world.namespace}/b create"):
        run.execute(apply())
    assert world.version("configmaps", "a") == before


def test_what_drifted_after_nobody_had_to_be_asked_is_not_written_unasked(world: World) -> None:
    world.phase("istio", [world.config("a")])
    applied(Run("first"))
    run = planned(Run("second", approve=True))
    run.execute(ApprovePlan(task_id="approve"))
    world.cluster.delete(f"/api/v1/namespaces/{world.namespace}/configmaps/a")
    with pytest.raises(errors.Stale, match="not part of the approved plan"):
        run.execute(apply())
    assert world.live("configmaps", "a") is None


def test_an_approval_that_was_marked_by_hand_is_none(world: World) -> None:
    """Marking the task as success in the UI leaves no answer behind: nobody saw the plan."""
    world.phase("istio", [world.config("a")])
    with pytest.raises(errors.Permanent, match=r"asks for approval, and approve left none.*Clear approve"):
        planned(Run(approve=True)).execute(apply())
    assert world.live("configmaps", "a") is None


def test_a_task_that_writes_does_not_in_a_dry_run_however_it_was_reached(world: World) -> None:
    world.phase("istio", [world.config("a")])
    with pytest.raises(AirflowSkipException, match="dry run: nothing was written"):
        planned(Run(dry_run=True)).execute(apply())
    assert world.live("configmaps", "a") is None


@pytest.mark.parametrize("task", [SetImage(task_id="release", service="web"), Restart(task_id="restart")])
def test_no_other_task_writes_in_a_dry_run_either(task: MeshOperator) -> None:
    run = Run(dry_run=True)
    with pytest.raises(AirflowSkipException, match="dry run: nothing was written"):
        run.execute(task)


def test_an_approval_still_counts_for_what_is_left_to_do(world: World) -> None:
    world.phase("istio", [world.config("a"), world.config("b")])
    run = approved(planned(Run(approve=True)))
    run.execute(apply())
    assert run.execute(apply())["counts"] == {"unchanged": 2}  # the task repeated, as after a crash


def test_an_approved_plan_may_be_reached_in_steps(world: World) -> None:
    """PERMISSIVE stands between nothing and the STRICT that was approved."""
    world.phase("mtls", [world.config("a", mode="permissive")], stage="permissive")
    world.phase("mtls", [world.config("a", mode="strict")], stage="strict")
    run = Run(approve=True)
    run.execute(Render(task_id="render", bundles=["mtls"], cluster="default"))
    approved(run).execute(plan())
    run.execute(Permit(task_id="permit", bundle="mtls@permissive", cluster="default"))
    with pytest.raises(errors.Stale, match="not part of the approved plan"):
        run.execute(Apply(task_id="enforce", bundle="mtls", cluster="default"))
    result = run.execute(Apply(task_id="enforce", bundle="mtls", cluster="default", steps=["permit"]))
    assert result["counts"] == {"configure": 1}
