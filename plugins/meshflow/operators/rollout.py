"""A release: the request accepted, the image set, the canary followed to its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, timezone

from meshflow import errors
from meshflow.operators import bundles
from meshflow.operators.base import OUTCOME, MeshOperator
from meshflow.operators.plan import plan_one

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.engine.releasing import Workload
    from meshflow.objects.reference import Obj
    from meshflow.release.request import Request

BEFORE = "before"
"""Key in the task's state store: the canary's status before our write, which a retry could not see any more."""


class ServiceOperator(MeshOperator):
    """A task about one service."""

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def target(self) -> Workload:
        """The workload of the service, from its manifests."""
        from meshflow.engine import releasing

        return releasing.workload(self.service, bundles.render(self.mesh, bundles.of_service(self.service)).objects)


class AcceptRequest(ServiceOperator):
    """What is asked for, as a digest, before anything is touched.

    The param `image` is a tag, a digest, or an image with its registry. Empty means: as it is, or the manifest's image
    where the service was never released. Returns the request with `pinned` (None: keep what runs) and `release_id`.
    """

    ui_color = "#fbe3d0"

    def work(self, context: Context) -> dict[str, Any]:
        """Resolve the digest; raises InvalidInput, NotFound or Unreachable with one sentence."""
        from meshflow.mesh.observation import before

        params, target = context["params"], self.target()
        live, canary = self.ask(lambda kube: _live(kube, target))
        request = self._request(params, target, live)
        if request is None:
            self.log.info("%s keeps what it runs: no image was asked for.", self.service)
            return {"service": self.service, "pinned": None, "release_id": "", "image": None, "installed": True}
        self.log.info("%s → %s, asked for by %s", self.service, request.image, request.requested_by)
        return {
            **request.to_json(),
            "pinned": request.pinned,
            "release_id": context["run_id"],
            "installed": live is not None,
            BEFORE: before(canary),
        }

    def _request(self, params: Mapping[str, Any], target: Workload, live: Obj | None) -> Request | None:
        from meshflow.clients import registry
        from meshflow.engine import releasing
        from meshflow.release.request import Request

        asked = str(params.get("image") or "").strip()
        if not asked and releasing.released_image(live, target.container):
            return None
        override = self.mesh.service(self.service).image
        request = Request.of(
            {
                "service": self.service,
                "image": full_image(asked or target.image, repository=override or target.image),
                "reason": params.get("reason") or "",
                "requested_by": params.get("requested_by") or "unknown",
            }
        )
        resolved = asyncio.run(registry.resolve(request.image, registries=self.mesh.registry))
        return request.resolved(resolved.digest)


class SetImage(ServiceOperator):
    """Set the image by digest, as `meshflow-release`, and nothing else.

    Where the primary runs the digest already nothing is written: the outcome will be `skipped`. A repeated task writes
    the same again, which changes nothing. Returns the release for `Follow`; None when there is nothing to release.
    """

    ui_color = "#fbe3d0"

    def __init__(self, *, request_task: str = "request", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_task = request_task

    def work(self, context: Context) -> dict[str, Any] | None:
        """Write, and say what has to be followed."""
        request = context["ti"].xcom_pull(task_ids=self.request_task)
        if request["pinned"] is None:
            self.log.info("Nothing to release.")
            return None
        target = self.target()
        return self.ask(lambda kube: self._release(kube, context, target, request))

    async def _release(
        self, kube: Kube, context: Context, target: Workload, request: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        from meshflow.engine import releasing
        from meshflow.mesh.canary import Release

        live, canary = await _live(kube, target)
        if await _runs_already(kube, target, live, request["pinned"], installed=request["installed"]):
            self.log.info("%s runs %s already.", self.service, request["pinned"])
            return None
        before = self._before(context, canary, request)
        written = await releasing.set_image(kube, target, request["pinned"], release_id=request["release_id"])
        self.log.info("%s: image %s set by %s", target.reference, request["pinned"], releasing.MANAGER)
        if releasing.shared(written, target.container):
            await self._hand_over(kube, context)
            written = await kube.get(target.reference) or written
        release = Release(
            service=self.service,
            namespace=target.reference.namespace or "",
            image=request["pinned"],
            release_id=request["release_id"],
            started=releasing.written_at(written) or timezone.utcnow(),
            generation=int(written["metadata"].get("generation", 0)),
            **before,
        )
        return {"release": release.to_json(), "canary": target.canary, "target": target.reference.name}

    def _before(self, context: Context, canary: Obj | None, request: Mapping[str, Any]) -> dict[str, str]:
        """The canary before our first write: an earlier try's note, if there is one."""
        from meshflow.mesh.observation import before

        if not request["installed"]:
            return dict(request[BEFORE])
        notes = context["task_state_store"]
        noted = notes.get(BEFORE)
        if isinstance(noted, dict):
            return {key: str(value) for key, value in noted.items()}
        seen = before(canary)
        notes.set(BEFORE, {**seen})
        return seen

    async def _hand_over(self, kube: Kube, context: Context) -> None:
        """Apply the service once more without its image, so that only `meshflow-release` owns that."""
        from meshflow.engine import applier
        from meshflow.plan.stages import stages

        bundle = bundles.of_service(self.service)
        plan, objects = await plan_one(kube, self.mesh, bundle, bundles.render(self.mesh, bundle))
        for stage in stages(objects):
            await applier.apply(kube, objects, plan, stage=stage)


class Follow(ServiceOperator):
    """Follow the release by watch until its outcome is known; green only when the service runs what was asked for.

    Without a Canary the outcome is the health of the workload. The decision, with the timeline of weights and failed
    checks, is the XCom `outcome` whatever it is.
    """

    ui_color = "#fbe3d0"

    def __init__(self, *, release_task: str = "release", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release_task = release_task

    def work(self, context: Context) -> dict[str, Any]:
        """Start following in the triggerer."""
        from meshflow.mesh.canary import Release
        from meshflow.triggers.health import HealthTrigger
        from meshflow.triggers.rollout import RolloutTrigger

        found = context["ti"].xcom_pull(task_ids=self.release_task)
        target, wait = self.target(), timedelta(seconds=self.mesh.service(self.service).timeout)
        if found and found["canary"]:
            trigger: Any = RolloutTrigger.within(
                wait,
                cluster=self.cluster,
                release=Release.from_json(found["release"]),
                canary_name=found["canary"],
                target=found["target"],
            )
        else:
            trigger = HealthTrigger.within(wait, cluster=self.cluster, references=[target.reference])
        self.defer(
            trigger=trigger, method_name="resume", kwargs={"released": bool(found)}, timeout=wait + timedelta(minutes=1)
        )
        raise AssertionError("defer does not return")

    def resume(self, context: Context, event: Mapping[str, Any], *, released: bool) -> dict[str, Any]:
        """The outcome is known."""
        return self.reporting(context, lambda: self._conclude(context, event, released=released))

    def _conclude(self, context: Context, event: Mapping[str, Any], *, released: bool) -> dict[str, Any]:
        from meshflow.release.outcome import Outcome

        decision = dict(event) if "outcome" in event else self._by_health(event, released=released)
        outcome = Outcome(decision["outcome"])
        context["ti"].xcom_push(key=OUTCOME, value=decision)
        self.log.info("%s: %s", outcome.value, outcome.sentence)
        if not outcome.good:
            raise errors.Permanent(f"{outcome.value}: {decision['message']}")
        self.log.info("%s", decision["message"])
        return decision

    def _by_health(self, event: Mapping[str, Any], *, released: bool) -> dict[str, Any]:
        from meshflow.triggers.health import raise_unless_healthy

        raise_unless_healthy(event, what=self.service)
        message = (
            f"{self.service}: the workload is healthy and runs {'what was asked for' if released else 'what it ran'}"
        )
        return {"outcome": "succeeded" if released else "skipped", "message": message, "timeline": []}


def full_image(asked: str, *, repository: str) -> str:
    """An image with its registry from what a person typed: a tag, a digest, or the whole image.

    `repository` is the service's own image, whose tag and digest do not matter.
    """
    from meshflow.release.request import split_image

    own = split_image(repository)[0]
    if "/" in asked:
        return asked
    return f"{own}@{asked}" if asked.startswith("sha256:") else f"{own}:{asked}"


async def _live(kube: Kube, target: Workload) -> tuple[Obj | None, Obj | None]:
    """The workload and its Canary as they are now."""
    from meshflow.objects.reference import Reference

    live = await kube.get(target.reference)
    if target.canary is None:
        return live, None
    return live, await kube.get(Reference("flagger.app", "Canary", target.reference.namespace, target.canary))


async def _runs_already(kube: Kube, target: Workload, live: Obj | None, pinned: str, *, installed: bool) -> bool:
    """Whether what serves the traffic runs the digest: the primary, or the workload itself without a Canary."""
    from meshflow.engine import releasing

    if not installed or live is None:
        return False
    if target.canary is None:
        return releasing.released_image(live, target.container) == pinned
    primary = await kube.get(target.reference._replace(name=f"{target.reference.name}-primary"))
    if primary is None or releasing.released_image(live, target.container) != pinned:
        return False
    containers = primary["spec"]["template"]["spec"]["containers"]
    return any(item["name"] == target.container and item["image"] == pinned for item in containers)
