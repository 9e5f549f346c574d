"""render → plan → approve → apply, on a small phase."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from meshflow import errors
from meshflow.operators import bundles
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.plan import PlanTask
from meshflow.operators.render import Render
from tests.operators.harness import Run, World, deployment


def render() -> Render:
    return Render(task_id="render", bundles=["istio"], cluster="default")


def plan() -> PlanTask:
    return PlanTask(task_id="plan", cluster="default")


def apply() -> Apply:
    return Apply(task_id="apply", bundle="istio", cluster="default")


def planned(run: Run) -> Run:
    run.execute(render())
    run.execute(plan())
    return run


def applied(run: Run) -> dict[str, object]:
    planned(run)
    run.execute(ApprovePlan(task_id="approve"))
    result: dict[str, object] = run.execute(apply())
    return result


def test_a_plan_says_what_would_be_written_and_writes_nothing(world: World) -> None:
    world.phase("istio", [world.config("a", colour="red")])
    before = world.writes()
    run = planned(Run())
    result = run.xcoms["plan", "return_value"]
    assert result["changed"]
    assert result["summary"] == "istio: 1 create"
    assert "colour" in result["markdown"] or "create" in result["markdown"]
    assert world.writes() == before
    assert world.live("configmaps", "a") is None
