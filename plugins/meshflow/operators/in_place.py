"""A release into one workload: Flagger sees the change and moves the traffic, or the workload replaces its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import timezone

from meshflow.engine import releasing, waiting
from meshflow.mesh import rolling
from meshflow.mesh.canary import Release, before
from meshflow.mesh.observation import State, state_of
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

SETTLE = 30.0  # seconds that a workload which a watch saw healthy may take to be so when it is asked
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

    @property
    def canary(self) -> str | None:
        return self.target.canary

    @property
    def workloads(self) -> tuple[Reference, ...]:
        """The target, and under a Canary the primary, which serves."""
        target = self.target.reference
        return (target, target._replace(name=f"{target.name}-primary")) if self.canary else (target,)

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
        if order.installed and await self._runs_already(kube, live, canary, order.pinned):
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
        return {
            "release": release.to_json(),
            "canary": self.target.canary,
            "target": self.target.reference.name,
            "routes": self.target.routes,
        }

    def trigger(self, found: Found | None, *, cluster: str, wait: timedelta) -> ClusterTrigger:
        if found and found["canary"]:
            return RolloutTrigger.within(
                wait,
                cluster=cluster,
                release=Release.from_json(found["release"]),
                canary_name=found["canary"],
                target=found["target"],
                routes=found["routes"],
            )
        return HealthTrigger.within(wait, cluster=cluster, references=self.workloads)

    def conclude(self, event: Mapping[str, Any], found: Found | None, *, ask: Ask, say: Say) -> dict[str, Any]:
        """What Flagger's rollout came to; without one, what the objects show beyond their health."""
        if "outcome" in event:
            return dict(event)
        healthy = by_health(event, found, service=self.service, ask=ask)
        return ask(lambda kube: self._beyond_health(kube, found)) or healthy

    async def _beyond_health(self, kube: Kube, found: Found | None) -> dict[str, Any] | None:
        if found:
            await waiting.for_health(kube, self.workloads, seconds=SETTLE)  # the trigger's watch may have been behind
            live = await kube.get(self.target.reference)
            return rolling.ended(live, image=found["release"]["image"], service=self.service)
        if self.target.routes is None:
            return None
        routes = Reference("networking.istio.io", "VirtualService", self.target.reference.namespace, self.target.routes)
        return rolling.astray(await kube.get(routes), routes=self.target.routes, service=self.service)

    async def _live(self, kube: Kube) -> tuple[Obj | None, Obj | None]:
        """The workload and its Canary as they are now."""
        live = await kube.get(self.target.reference)
        if self.target.canary is None:
            return live, None
        namespace = self.target.reference.namespace
        return live, await kube.get(Reference("flagger.app", "Canary", namespace, self.target.canary))

    async def _runs_already(self, kube: Kube, live: Obj | None, canary: Obj | None, pinned: str) -> bool:
        """Whether what serves the traffic runs the digest: the primary, or the workload itself without a Canary.

        A primary that got it in a promotion that failed does not.
        """
        if live is None or releasing.released_image(live, self.target.container) != pinned:
            return False
        if self.target.canary is None:
            return True
        if state_of(canary) is State.FAILED:
            return False
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
