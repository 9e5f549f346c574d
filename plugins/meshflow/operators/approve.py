"""The human gate between plan and apply."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from meshflow import errors
from meshflow.operators.base import Reporting

APPROVED, NOTHING_TO_APPROVE = "approved", "nothing to approve"

CLUSTER = "Cluster **{{ params.cluster }}**\n\n"
RELEASE = """\
{%% set release = ti.xcom_pull(task_ids='%s') -%%}
{%% if release.pinned -%%}
Release `{{ release.image }}`, asked for by {{ release.requested_by }}
{%%- if release.reason %%}: {{ release.reason }}{%% endif %%}

{%% endif -%%}
"""
PLAN = "{{ ti.xcom_pull(task_ids='%s')['markdown'] }}"


class ApprovePlan(Reporting, ApprovalOperator):
    """Let a plan through: at once, or when a person says so (`approve: true`).

    A dry run ends here, with everything after it skipped. A plan without changes needs nobody's word, unless
    `request_task` asks for a release: its image is part of what is approved. "Reject" fails the run, so that a rejected
    change is never mistaken for one that was made. Returns who approved and when.
    """

    ui_color = "#f4e1a1"

    def __init__(self, *, plan_task: str = "plan", request_task: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("subject", "Apply this plan? ({{ dag.dag_display_name }})")
        release = RELEASE % request_task if request_task else ""
        kwargs.setdefault("body", CLUSTER + release + PLAN % plan_task)
        super().__init__(**kwargs)
        self.plan_task, self.request_task = plan_task, request_task

    def execute(self, context: Context) -> Any:
        """Skip on a dry run, pass where nobody is asked, else wait for the answer in the UI."""
        plan = context["ti"].xcom_pull(task_ids=self.plan_task)
        if context["params"].get("dry_run"):
            raise AirflowSkipException(f"dry run: {plan['summary']}, nothing was written")
        if not context["params"].get("approve"):
            self.log.info("Nobody is asked: this run was started without Ask for approval.")
            return {"decision": "not asked"}
        request = context["ti"].xcom_pull(task_ids=self.request_task) if self.request_task else None
        if not plan["changed"] and not (request and request["pinned"]):
            self.log.info("The plan changes nothing: nobody has to be asked.")
            return {"decision": NOTHING_TO_APPROVE}
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Who answered what, and when; a rejection is a failure."""
        return self.reporting(context, lambda: self._conclude(context, event))

    def _conclude(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        answer = super(ApprovalOperator, self).execute_complete(context, event)
        who = answer["responded_by_user"] or {"name": "nobody: the answer timed out"}
        decision = answer["chosen_options"][0]
        if decision != self.APPROVE:
            raise errors.Permanent(f"The plan was rejected by {who['name']}; nothing was written.")
        self.log.info("Approved by %s.", who["name"])
        return {"decision": APPROVED, "by": who["name"], "at": answer["responded_at"].isoformat()}
