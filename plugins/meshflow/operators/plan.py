"""The second task of every phase: what would be written, shown before anything is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import Context

from meshflow import declared, settings
from meshflow.hooks import store
from meshflow.operators import bundles
from meshflow.operators.base import MeshOperator

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.objects.parsing import Desired
    from meshflow.plan.model import Entry, Plan
    from meshflow.sources.rendered import Rendered

LOG_LINES = 400
MARKDOWN_LINES = 120


class PlanTask(MeshOperator):
    """Hold what was rendered against the cluster. Writes nothing to it.

    The diff is in the log, the whole of it in the store. Returns {summary, changed, markdown, approvable, plans}.
    """

    ui_color = "#dfe8f5"

    def __init__(self, *, render_task: str = "render", request_task: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task, self.request_task = render_task, request_task

    def work(self, context: Context) -> dict[str, Any]:
        """Plan every bundle of the run."""
        from meshflow.plan import render

        rendered = context["ti"].xcom_pull(task_ids=self.render_task)
        request = context["ti"].xcom_pull(task_ids=self.request_task) if self.request_task else None
        planned = self.ask(lambda kube: plan_all(kube, self.mesh, rendered, request=request))
        plans = {bundle: item.plan for bundle, item in planned.items()}
        for bundle, plan in plans.items():
            path = store.write_text(store.plan_text(context["run_id"], bundle), render.text(plan))
            self.log_lines(render.text(plan, limit=LOG_LINES))
            self.log.info("%s: %s (whole plan: %s)", bundle, summary(plan), path)
        return {
            "summary": "; ".join(f"{bundle}: {summary(plan)}" for bundle, plan in plans.items()),
            "changed": any(plan.changed for plan in plans.values()),
            "markdown": "\n".join(
                f"```diff\n{render.text(plan, limit=MARKDOWN_LINES)}\n```" for plan in plans.values()
            ),
            "approvable": {bundle: [fingerprint(entry) for entry in plan.writes] for bundle, plan in plans.items()},
            "plans": {
                bundle: render.brief(plan, limit=render.XCOM_LIMIT // len(plans)) for bundle, plan in plans.items()
            },
        }


class Planned(NamedTuple):
    """A plan and the objects that it is about."""

    plan: Plan
    objects: tuple[Desired, ...]


async def plan_all(
    kube: Kube,
    mesh: settings.Mesh,
    rendered: Mapping[str, Mapping[str, Any]],
    *,
    request: Mapping[str, Any] | None = None,
    takeover: bool | None = None,
) -> dict[str, Planned]:
    """The plan of each bundle, in order: each as if those before it had been applied."""
    planned: dict[str, Planned] = {}
    before: list[Desired] = []
    for bundle, item in rendered.items():
        loaded = bundles.load(mesh, bundle, item["digest"])
        planned[bundle] = await plan_one(kube, mesh, bundle, loaded, request=request, takeover=takeover, before=before)
        before += loaded.objects
    return planned


async def plan_one(
    kube: Kube,
    mesh: settings.Mesh,
    bundle: str,
    rendered: Rendered,
    *,
    request: Mapping[str, Any] | None = None,
    takeover: bool | None = None,
    before: Sequence[Desired] = (),
) -> Planned:
    """The plan of one bundle, by the rules of its phase; `takeover` overrides them, `before` is applied earlier.

    A service is planned without the image that a release gave it. `request` (the XCom of `AcceptRequest`) says what a
    first installation starts from.
    """
    from meshflow.engine import planner
    from meshflow.engine.verdicts import Verdicts

    name = bundles.set_name(bundle)
    rules = mesh.phases.get(name)
    objects = rendered.objects
    if bundle.startswith(bundles.SERVICE_PREFIX):
        objects = await _service_objects(kube, mesh, bundle, objects, request or {})
    plan = await planner.plan(
        kube,
        objects,
        planner.SetRules(
            name,
            takeover=bool(rules and rules.takeover) if takeover is None else takeover,
            prune_budget=rules.prune_budget if rules else declared.Phase.model_fields["prune_budget"].default,
            partial=bundles.is_stage(bundle),
        ),
        verdicts=Verdicts(store.home() / "verdicts" / f"{store.safe(kube.cluster)}-{name}.json"),
        before=before,
        others=lambda: bundles.declared_elsewhere(mesh, name),
    )
    return Planned(plan, objects)


async def _service_objects(
    kube: Kube, mesh: settings.Mesh, bundle: str, objects: tuple[Desired, ...], request: Mapping[str, Any]
) -> tuple[Desired, ...]:
    from meshflow.operators import ways

    way = ways.of(mesh, bundle.removeprefix(bundles.SERVICE_PREFIX), objects)
    return await way.desired(kube, objects, pinned=request.get("pinned"), release_id=request.get("release_id", ""))


def summary(plan: Plan) -> str:
    """`3 create, 1 configure, 20 unchanged`: the actions that occur."""
    return ", ".join(f"{count} {action}" for action, count in plan.counts().items() if count) or "no objects"


def fingerprint(entry: Entry) -> str:
    """A short hash of what would be done to one object: an approval names exactly these."""
    from meshflow.engine.comparer import UNASKED
    from meshflow.plan import digest
    from meshflow.plan.model import Action

    if entry.action is Action.CONFIGURE and entry.message == UNASKED:
        return unasked(entry)
    return digest.of([list(entry.reference), entry.action, [[c.path, c.old, c.new] for c in entry.changes]])[:16]


def unasked(entry: Entry) -> str:
    """The hash of a change that nobody could see in advance, since the definition of its kind changes first."""
    from meshflow.plan import digest

    return digest.of([list(entry.reference), "unasked"])[:16]
