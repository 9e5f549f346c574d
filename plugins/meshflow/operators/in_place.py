"""A release into one workload: Flagger sees the change and moves the traffic, or the workload replaces its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import timezone

from meshflow.engine import releasing
from meshflow.mesh.canary import Release, before
from meshflow.objects.reference import Obj, Reference
from meshflow.operators import bundles
from meshflow.operators.ways import Ask, Found, Live, Order, Say, Way, by_health
from meshflow.triggers.health import HealthTrigger
from meshflow.triggers.rollout import RolloutTrigger

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.objects.parsing import Desired
    from meshflow.settings import Mesh
    from meshflow.triggers.cluster import ClusterTrigger

BEFORE = "before"
"""Note of the first try: the Canary's status before our write, which a retry could not see any more."""


class InPlace(Way):
    """One Deployment or StatefulSet, with or without a Canary that watches it."""

    def __init__(self, mesh: Mesh, service: str, objects: Sequence[Desired]) -> None:
        super().__init__(mesh, service)
        self.target = releasing.workload(service, objects)

    @property
    def image(self) -> str:
        return self.target.image

    async def look(self, kube: Kube) -> Live:
        live, canary = await self._live(kube)
        return Live(live is not None, releasing.released_image(live, self.target.container), {**before(canary)})

    async def desired(
        self, kube: Kube, objects: Sequence[Desired], *, pinned: str | None, release_id: str
    ) -> tuple[Desired, ...]:
        live = await kube.get(self.target.reference)
        return releasing.without_released(objects, self.target, live, pinned=pinned, release_id=release_id)

    async def release(self, kube: Kube, order: Order) -> dict[str, Any] | None:
        """Set the image as `meshflow-release`, and see to it that nobody else owns it afterwards."""
        live, canary = await self._live(kube)
        if order.installed and await self._runs_already(kube, live, order.pinned):
            return None
        seen = self._before(order, canary)
        written = await releasing.set_image(kube, self.target, order.pinned, release_id=order.release_id)
        order.say(f"{self.target.reference}: image {order.pinned} set by {releasing.MANAGER}")
        if releasing.shared(written, self.target.container):
            await self._hand_over(kube)
            written = await kube.get(self.target.reference) or written
        release = Release(
            service=self.service,
            namespace=self.target.reference.namespace or "",
            image=order.pinned,
            release_id=order.release_id,
            started=releasing.written_at(written) or timezone.utcnow(),
            generation=int(written["metadata"].get("generation", 0)),
            **seen,
        )
        return {"release": release.to_json(), "canary": self.target.canary, "target": self.target.reference.name}

    def trigger(self, found: Found | None, *, cluster: str, wait: timedelta) -> ClusterTrigger:
        if found and found["canary"]:
            return RolloutTrigger.within(
                wait,
                cluster=cluster,
                release=Release.from_json(found["release"]),
                canary_name=found["canary"],
                target=found["target"],
            )
        return HealthTrigger.within(wait, cluster=cluster, references=[self.target.reference])

    def conclude(self, event: Mapping[str, Any], found: Found | None, *, ask: Ask, say: Say) -> dict[str, Any]:
        return dict(event) if "outcome" in event else by_health(event, found, service=self.service, ask=ask)

    async def _live(self, kube: Kube) -> tuple[Obj | None, Obj | None]:
        """The workload and its Canary as they are now."""
        live = await kube.get(self.target.reference)
        if self.target.canary is None:
            return live, None
        namespace = self.target.reference.namespace
        return live, await kube.get(Reference("flagger.app", "Canary", namespace, self.target.canary))

    async def _runs_already(self, kube: Kube, live: Obj | None, pinned: str) -> bool:
        """Whether what serves the traffic runs the digest: the primary, or the workload itself without a Canary."""
        if live is None or releasing.released_image(live, self.target.container) != pinned:
            return False
        if self.target.canary is None:
            return True
        primary = await kube.get(self.target.reference._replace(name=f"{self.target.reference.name}-primary"))
        containers = primary["spec"]["template"]["spec"]["containers"] if primary else []
        return any(item["name"] == self.target.container and item["image"] == pinned for item in containers)

    def _before(self, order: Order, canary: Obj | None) -> dict[str, str]:
        """The Canary before our first write: an earlier try's note, if there is one."""
        if not order.installed:
            return dict(order.before)
        noted = order.notes.get(BEFORE)
        if isinstance(noted, dict):
            return {key: str(value) for key, value in noted.items()}
        seen = before(canary)
        order.notes.set(BEFORE, {**seen})
        return seen

    async def _hand_over(self, kube: Kube) -> None:
        """Apply the service once more without its image, so that only `meshflow-release` owns that."""
        from meshflow.engine import applier
        from meshflow.operators.plan import plan_one
        from meshflow.plan.stages import stages

        bundle = bundles.of_service(self.service)
        plan, objects = await plan_one(kube, self.mesh, bundle, bundles.render(self.mesh, bundle))
        for stage in stages(objects):
            await applier.apply(kube, objects, plan, stage=stage)
