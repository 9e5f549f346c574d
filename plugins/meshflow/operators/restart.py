"""Workloads restarted into the mesh, a batch at a time, each waited for until it is healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, timezone

from meshflow import errors
from meshflow.operators.base import MeshOperator

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.mesh.restart import Finding, RestartPlan

MANAGER = "meshflow-restart"


class Restart(MeshOperator):
    """Restart what lacks the wanted proxy, by the batches of mesh/restart.py.

    Namespaces that mesh.yaml does not name under `injection` are left alone, whatever their labels. After each batch
    the cluster is looked at again, so a retry or a clear goes on where it stopped. The first batch that does not become
    healthy ends the task: what comes after it was not touched. Returns {restarted, reported}.
    """

    ui_color = "#cfe8cf"
    writes = True

    def work(self, context: Context) -> dict[str, Any]:
        """From the first batch on."""
        return self._next_batch([])

    def resume(self, context: Context, event: Mapping[str, Any], *, restarted: list[str]) -> dict[str, Any]:
        """A batch is healthy, or is not."""

        def after_wait() -> dict[str, Any]:
            from meshflow.operators import waits

            with self.remembering(context, dict.fromkeys(restarted, "restart")):
                waits.end(event, what=f"The batch that ended with {restarted[-1]}", ask=self.ask)
                return self._next_batch(restarted)

        return self.reporting(context, after_wait)

    def _next_batch(self, restarted: list[str]) -> dict[str, Any]:
        from meshflow.triggers.health import HealthTrigger

        plan, batch = self.ask(lambda kube: self._restart(kube, restarted))
        for reported in plan.reported:
            self.log.warning("%s", reported)
        if not batch:
            self.log.info("%d workloads restarted, %d reported", len(restarted), len(plan.reported))
            return {"restarted": restarted, "reported": [str(item) for item in plan.reported]}
        wait = timedelta(seconds=self.mesh.injection.timeout)
        self.defer(
            trigger=HealthTrigger.within(wait, cluster=self.cluster, references=[item.reference for item in batch]),
            method_name="resume",
            kwargs={"restarted": [*restarted, *(str(item.reference) for item in batch)]},
            timeout=wait + timedelta(minutes=1),
        )
        raise AssertionError("defer does not return")

    async def _restart(self, kube: Kube, restarted: list[str]) -> tuple[RestartPlan, Sequence[Finding]]:
        from meshflow.engine import observing
        from meshflow.mesh import restart

        planes = await observing.control_planes(kube)
        version = planes[0].version if len(planes) == 1 else ""
        rules = self.mesh.injection
        cluster = await observing.workloads(kube, namespaces={item.name for item in rules.namespaces})
        plan = restart.plan(cluster, version=version, size=rules.batch)
        batch = plan.batches[0] if plan.batches else ()
        again = [str(item) for item in batch if str(item.reference) in restarted]
        if again:
            raise errors.Degraded(
                f"Restarted, and still without the wanted proxy: {'; '.join(again)}. Look at istiod and its webhooks.",
                objects=again,
            )
        for item in batch:
            self.log.info("Restarting %s", item)
            await kube.patch(item.reference, restart.patch(timezone.utcnow().isoformat()), manager=MANAGER)
        return plan, batch
