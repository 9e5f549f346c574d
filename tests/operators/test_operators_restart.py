"""Restarting what lacks its proxy, batch by batch."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from meshflow import errors
from meshflow.mesh.restart import Finding, RestartPlan
from meshflow.objects.reference import Reference
from meshflow.operators.record import Record
from meshflow.operators.restart import Restart
from tests.operators.harness import Run


def test_a_restart_that_failed_says_what_it_restarted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    finding = Finding(Reference("apps", "Deployment", "shop", "web"), ("web-1",), "no proxy")

    async def restart(*_: Any) -> tuple[RestartPlan, tuple[Finding, ...]]:
        return RestartPlan(((finding,),)), (finding,)

    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(Restart, "_restart", restart)
    monkeypatch.setattr(Restart, "ask", lambda self, question: asyncio.run(question(None)))
    run, task = Run(), Restart(task_id="restart", cluster="default")
    with pytest.raises(TaskDeferred) as deferral:
        run.execute(task, wait=False)
    broken = {"status": "degraded", "waiting": [], "broken": ["Deployment/shop/web: its pods crash"]}
    with pytest.raises(errors.Degraded):
        task.resume(run.context(task), broken, **(deferral.value.kwargs or {}))
    left = Record(task_id="record", chain="injection", cluster="default", parts={"restart": "restart"})
    assert left._document(run.context(left))["restart"] == {"writes": {"Deployment/shop/web": "restart"}}
