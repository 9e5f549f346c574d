"""The second task of every phase: what would be written, shown before anything is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from meshflow import settings
from meshflow.hooks import store
from meshflow.operators import bundles
from meshflow.operators.base import MeshOperator

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.plan.model import Entry, Plan

LOG_LINES = 400
MARKDOWN_LINES = 120


class PlanTask(MeshOperator):
    """Hold what was rendered against the cluster. Writes nothing to it.

    The diff is in the log, the whole of it in the store. Returns {summary, changed, markdown, approvable, plans}.
    """

    ui_color = "#dfe8f5"

    def __init__(self, *, render_task: str = "render", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task = render_task

    def work(self, context: Context) -> dict[str, Any]:
        """Plan every bundle of the run."""
        from meshflow.plan import render

        rendered = context["ti"].xcom_pull(task_ids=self.render_task)
        plans = self.ask(lambda kube: plan_all(kube, self.mesh, rendered))
        for bundle, plan in plans.items():
            path = store.write_text(store.plan_text(context["run_id"], bundle), render.text(plan))
            self.log_lines(render.text(plan, limit=LOG_LINES))
            self.log.info("%s: %s (whole plan: %s)", bundle, summary(plan), path)
        return {
            "summary": "; ".join(f"{bundle}: {summary(plan)}" for bundle, plan in plans.items()),
            "changed": any(plan.changed for plan in plans.values()),
            "markdown": "\n".join(f"```diff\n{render.text(plan, limit=MARKDOWN_LINES)}\n```" for plan in plans.values()),
            "approvable": {bundle: [fingerprint(entry) for entry in plan.writes] for bundle, plan in plans.items()},
            "plans": {bundle: render.brief(plan, limit=render.XCOM_LIMIT // len(plans)) for bundle, plan in plans.items()},
        }


async def plan_all(kube: Kube, mesh: settings.Mesh, rendered: Mapping[str, Mapping[str, Any]]) -> dict[str, Plan]:
    """The plan of each bundle, in order."""
    return {
        bundle: await plan_one(kube, mesh, bundle, bundles.load(mesh, bundle, item["digest"]))
        for bundle, item in rendered.items()
    }


async def plan_one(kube: Kube, mesh: settings.Mesh, bundle: str, rendered: Any) -> Plan:
    """The plan of one bundle, by the rules of its phase."""
    from meshflow.engine import planner
    from meshflow.engine.verdicts import Verdicts

    name = bundles.set_name(bundle)
    rules = mesh.phases.get(name)
    return await planner.plan(
        kube,
        rendered.objects,
        set_name=name,
        takeover=bool(rules and rules.takeover),
        prune_budget=rules.prune_budget if rules else settings.Phase.model_fields["prune_budget"].default,
        verdicts=Verdicts(store.home() / "verdicts" / f"{store.safe(kube.cluster)}.json"),
    )


def summary(plan: Plan) -> str:
    """`3 create, 1 configure, 20 unchanged`: the actions that occur."""
    return ", ".join(f"{count} {action}" for action, count in plan.counts().items() if count) or "no objects"


def fingerprint(entry: Entry) -> str:
    """A short hash of what would be done to one object: an approval names exactly these."""
    from meshflow.plan import digest

    return digest.of([list(entry.reference), entry.action, [[c.path, c.old, c.new] for c in entry.changes]])[:16]
