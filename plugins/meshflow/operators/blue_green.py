"""A release into the idle one of two Deployments, and the switch of the Service once that is ready.

The triggerer waits for the idle Deployment; the switch is a write, so the last steps are the worker's. They are short:
what is not settled within `SETTLE` then is undone, or was never done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import timezone

from meshflow.engine import blue_green, explaining
from meshflow.mesh.blue_green import Decision, Release, active
from meshflow.mesh.observation import RELEASE_ID
from meshflow.mesh.timeline import Step, StepKind
from meshflow.operators.ways import Ask, Found, Live, Order, Say, Way, by_health
from meshflow.release.outcome import Outcome
from meshflow.triggers.health import BLIND, HealthTrigger

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.objects.parsing import Desired
    from meshflow.objects.reference import Reference
    from meshflow.settings import Mesh
    from meshflow.triggers.cluster import ClusterTrigger

SETTLE = timedelta(minutes=2)
"""How long the worker may take from a ready Deployment to a Service that reaches only its pods."""


class BlueGreen(Way):
    """Two Deployments and a Service that selects one of them, without Flagger."""

    def __init__(self, mesh: Mesh, service: str, objects: Sequence[Desired]) -> None:
        super().__init__(mesh, service)
        self.pair = blue_green.pair(service, objects)

    @property
    def image(self) -> str:
        """Of the colour that a first installation serves."""
        return self.pair.workloads[self.pair.first].image

    @property
    def workloads(self) -> tuple[Reference, ...]:
        return tuple(workload.reference for workload in self.pair.workloads.values())

    async def look(self, kube: Kube) -> Live:
        seen = await blue_green.observe(kube, self.pair)
        serving = seen.deployments.get(active(seen.service) or "")
        if serving is None:
            return Live(False, None, {})
        template = serving["spec"]["template"]
        released = RELEASE_ID in (template["metadata"].get("annotations") or {})
        return Live(True, template["spec"]["containers"][0]["image"] if released else None, {})

    async def desired(
        self, kube: Kube, objects: Sequence[Desired], *, pinned: str | None, release_id: str
    ) -> tuple[Desired, ...]:
        return await blue_green.without_released(kube, objects, self.pair, pinned=pinned, release_id=release_id)

    async def release(self, kube: Kube, order: Order) -> dict[str, Any] | None:
        """Give the idle colour the image. A first installation has it in both colours already."""
        deadline = timezone.utcnow() + timedelta(seconds=self.mesh.service(self.service).timeout)
        begun = await blue_green.begin(kube, self.pair, order.pinned, release_id=order.release_id, deadline=deadline)
        if begun is None:
            return None if order.installed else {"release": None, "release_id": order.release_id}
        order.say(f"{self.pair.workloads[begun.colour].reference}: image {order.pinned} set; {begun.colour} is idle")
        return {"release": begun.to_json(), "release_id": order.release_id}

    def trigger(self, found: Found | None, *, cluster: str, wait: timedelta) -> ClusterTrigger:
        if found and found["release"]:
            release = Release.from_json(found["release"])
            idle = self.pair.workloads[release.colour].reference
            left = max(release.deadline - timezone.utcnow(), timedelta())
            return HealthTrigger.within(left, cluster=cluster, references=[idle])
        return HealthTrigger.within(wait, cluster=cluster, references=[*self.workloads, self.pair.service])

    def conclude(self, event: Mapping[str, Any], found: Found | None, *, ask: Ask, say: Say) -> dict[str, Any]:
        """Switch and verify. Where the idle colour did not become healthy nothing is switched: users saw nothing."""
        if not found or not found["release"] or event["status"] == BLIND:
            return by_health(event, found, service=self.service, ask=ask)
        healthy, now = event["status"] == "healthy", timezone.utcnow()
        release = _until(Release.from_json(found["release"]), now + SETTLE if healthy else now)
        steps: list[Step] = []

        def told(line: str) -> None:
            say(line)
            steps.append(Step(timezone.utcnow(), StepKind.NOTE, line))

        decision = ask(lambda kube: self._finish(kube, release, found["release_id"], told))
        return {**decision.to_json(), "timeline": [step.to_json() for step in steps]}

    async def _finish(self, kube: Kube, release: Release, release_id: str, say: Say) -> Decision:
        """The end of the release; one that failed says what the pods of its colour complain about."""
        decision = await blue_green.finish(kube, self.pair, release, release_id=release_id, say=say)
        if decision.outcome is not Outcome.ROLLED_BACK:
            return decision
        words = await explaining.explain(kube, [self.pair.workloads[release.colour].reference])
        return replace(decision, message="; ".join((decision.message, *words.values())))


def _until(release: Release, moment: datetime) -> Release:
    return replace(release, deadline=min(release.deadline, moment))
