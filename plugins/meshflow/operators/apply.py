"""The plan carried out, stage by stage, each waited for until it is healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import Context

from meshflow import errors
from meshflow.operators import bundles
from meshflow.operators.approve import APPROVED, NOTHING_TO_APPROVE
from meshflow.operators.base import MeshOperator
from meshflow.operators.plan import fingerprint, plan_one, summary, unasked

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.declared import GeneratedSecret
    from meshflow.engine.applier import Applied
    from meshflow.objects.reference import Reference
    from meshflow.plan.model import Plan
    from meshflow.plan.stages import Stage

GRACE = 2.0  # seconds that a stage may take before the task gives its slot back: a deferral costs about as much


class Waiting(NamedTuple):
    """A stage that was written and is not healthy yet."""

    stage: Stage
    number: int  # among the stages of the bundle


class Apply(MeshOperator):
    """Apply one bundle by server-side apply.

    It plans again, so that a retry after a crash, or a clear in the UI, goes on where the cluster is now. If a person
    approved a plan, then what is to be written must be part of what was approved, else `Stale`; objects that the tasks
    `steps` of this run wrote on the way to it are not what was seen any more, and may be written all the same.
    Waiting is deferred; with `wait=False` the last stage is left to a later task.
    Returns {set, counts, writes, objects}.
    """

    ui_color = "#cfe8cf"
    writes = True

    def __init__(
        self,
        *,
        bundle: str,
        render_task: str = "render",
        plan_task: str = "plan",
        approve_task: str = "approve",
        request_task: str | None = None,
        steps: Sequence[str] = (),
        wait: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bundle = bundle
        self.render_task, self.plan_task, self.approve_task = render_task, plan_task, approve_task
        self.request_task, self.steps, self.wait = request_task, tuple(steps), wait

    def work(self, context: Context) -> dict[str, Any]:
        """From the first stage on."""
        return self._advance(context, first=0, written=self.remembered(context))

    def resume(
        self, context: Context, event: Mapping[str, Any], *, stage: int, written: dict[str, str]
    ) -> dict[str, Any]:
        """The wait for a stage is over: go on with the next one, or say what it still waited for."""
        return self.reporting(context, lambda: self._after_wait(context, event, stage, written))

    def _after_wait(
        self, context: Context, event: Mapping[str, Any], stage: int, written: dict[str, str]
    ) -> dict[str, Any]:
        from meshflow.operators import waits

        with self.remembering(context, written):
            waits.end(event, what=f"{self.bundle}, stage {stage + 1}", ask=self.ask)
        return self._advance(context, first=stage + 1, written=written)

    def _advance(self, context: Context, *, first: int, written: dict[str, str]) -> dict[str, Any]:
        from meshflow.triggers.health import HealthTrigger

        with self.remembering(context, written):
            plan, waiting = self.ask(lambda kube: self._stages(kube, context, first, written))
        if waiting is not None:
            wait = timedelta(seconds=self._timeout())
            self.log.info(
                "Waiting up to %s for stage %s: %d objects", wait, waiting.stage.name, len(waiting.stage.references)
            )
            self.defer(
                trigger=HealthTrigger.within(wait, cluster=self.cluster, references=waiting.stage.references),
                method_name="resume",
                kwargs={"stage": waiting.number, "written": written},
                timeout=wait + timedelta(minutes=1),
            )
        self.log.info("%s: %d written; %s", self.bundle, len(written), summary(plan))
        return {
            "set": bundles.set_name(self.bundle),
            "counts": tally(plan, written),
            "writes": written,
            "objects": len(plan.entries),
        }

    async def _stages(
        self, kube: Kube, context: Context, first: int, written: dict[str, str]
    ) -> tuple[Plan, Waiting | None]:
        """Write into `written` what is written, up to the first stage that takes long to become healthy.

        Stages before `first` were waited for already. What somebody changed in them meanwhile is written too, but what
        differs again after we wrote it is left: whoever does that does it again.
        """
        from meshflow.engine import applier, credentials
        from meshflow.plan.model import Action
        from meshflow.plan.stages import MAIN, stages

        def note(done: Applied) -> None:
            written[str(done.reference)] = done.action.value

        request = context["ti"].xcom_pull(task_ids=self.request_task) if self.request_task else None
        plan, objects = await plan_one(kube, self.mesh, self.bundle, self.rendered(context), request=request)
        self._check_approval(context, plan)
        await applier.begin(kube, objects, plan, allow_prune=self._approved(context))
        order = stages(objects)
        for number, stage in enumerate(order):
            if number < first:
                await applier.apply(kube, objects, plan, stage=self._unwritten(stage, plan, written), done=note)
                continue
            if stage.name == MAIN:  # the namespaces exist by now
                for reference in await credentials.ensure(kube, self._secrets()):
                    self.log.info("%s create, with random contents", reference)
                    written[str(reference)] = Action.CREATE.value
            await applier.apply(kube, objects, plan, stage=stage, done=note)
            last = number == len(order) - 1
            if not (last and not self.wait) and not await self._healthy(kube, stage.references):
                return plan, Waiting(stage, number)
        await applier.finish(kube, objects, plan, allow_prune=self._approved(context), done=note)
        return plan, None

    def _unwritten(self, stage: Stage, plan: Plan, written: Mapping[str, str]) -> Stage:
        differing = {entry.reference for entry in plan.writes}
        for reference in stage.references:
            if reference in differing and str(reference) in written:
                self.log.warning("%s differs again after it was written: somebody else writes to it too", reference)
        return stage._replace(references=tuple(one for one in stage.references if str(one) not in written))

    def _secrets(self) -> Sequence[GeneratedSecret]:
        """Those that the phase needs; none for a service."""
        phase = self.mesh.phases.get(bundles.set_name(self.bundle))
        return phase.secrets if phase else ()

    def rendered(self, context: Context) -> Any:
        """The bundle as the run rendered it."""
        kept = context["ti"].xcom_pull(task_ids=self.render_task)
        return bundles.load(self.mesh, self.bundle, kept[self.bundle]["digest"])

    async def _healthy(self, kube: Kube, references: Sequence[Reference]) -> bool:
        from meshflow.engine import waiting

        return (await waiting.for_health(kube, references, seconds=GRACE)).done

    def _timeout(self) -> float:
        rules = self.mesh.phases.get(bundles.set_name(self.bundle))
        return rules.timeout if rules else self.mesh.services.timeout

    def _decision(self, context: Context) -> str:
        answer = context["ti"].xcom_pull(task_ids=self.approve_task) or {}
        return str(answer.get("decision", ""))

    def _approved(self, context: Context) -> bool:
        return self._decision(context) == APPROVED

    def _check_approval(self, context: Context, plan: Plan) -> None:
        """Where approval is asked for nothing but what was approved may be written; nothing, if nobody had to be."""
        approvable = context["ti"].xcom_pull(task_ids=self.plan_task)["approvable"]
        if self.bundle not in approvable or not (context["params"].get("approve") or self._approved(context)):
            return
        if self._decision(context) not in (APPROVED, NOTHING_TO_APPROVE):
            raise errors.Permanent(
                f"This run asks for approval, and {self.approve_task} left none: it was marked by hand. Clear "
                f"{self.approve_task} to be asked again."
            )
        approved = set(approvable[self.bundle])
        results = [context["ti"].xcom_pull(task_ids=task) or {} for task in self.steps]
        ours = {written for result in results for written in result.get("writes", ())}
        new = [
            str(entry)
            for entry in plan.writes
            if not {fingerprint(entry), unasked(entry)} & approved and str(entry.reference) not in ours
        ]
        if new:
            raise errors.Stale(
                f"{len(new)} changes were not part of the approved plan, the first is {new[0]}: the cluster changed "
                "since. Start a new run and approve its plan."
            )


def tally(plan: Plan, written: Mapping[str, str]) -> dict[str, int]:
    """How many objects ended as what: those written before the last planning count by what was done to them."""
    ends = {str(entry.reference): entry.action.value for entry in plan.entries} | dict(written)
    counts: dict[str, int] = {}
    for action in ends.values():
        counts[action] = counts.get(action, 0) + 1
    return counts
