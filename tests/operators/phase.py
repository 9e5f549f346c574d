"""The tasks of a phase as its DAG has them, on the bundle `istio`."""

from __future__ import annotations

from typing import Any

from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.plan import PlanTask
from meshflow.operators.render import Render
from tests.operators.harness import Run


def render() -> Render:
    return Render(task_id="render", bundles=["istio"], cluster="default")


def plan() -> PlanTask:
    return PlanTask(task_id="plan", cluster="default")


def apply(**options: Any) -> Apply:
    return Apply(task_id="apply", bundle="istio", cluster="default", **options)


def planned(run: Run) -> Run:
    run.execute(render())
    run.execute(plan())
    return run


def approved(run: Run, by: str = "alice") -> Run:
    """The run after a person let its plan through."""
    run.xcoms["approve", "return_value"] = {"decision": "approved", "by": by, "at": "2026-01-01T00:00:00+00:00"}
    return run


def applied(run: Run) -> Any:
    run.execute(planned(run) and ApprovePlan(task_id="approve"))
    return run.execute(apply())
