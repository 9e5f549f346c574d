"""A release: the request accepted, the image set, the way of the service followed to its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from meshflow import errors
from meshflow.operators.base import OUTCOME, MeshOperator

if TYPE_CHECKING:
    from meshflow.operators.ways import Live, Order, Way
    from meshflow.release.request import Request


class ServiceOperator(MeshOperator):
    """A task about one service."""

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def way(self) -> Way:
        """How the service is released, by its manifests."""
        from meshflow.operators import ways

        return ways.of(self.mesh, self.service)

    def say(self, line: str) -> None:
        """A sentence for the log."""
        self.log.info("%s", line)


class AcceptRequest(ServiceOperator):
    """What is asked for, as a digest, before anything is touched.

    The param `image` is a tag, a digest, or an image with its registry. Empty means: as it is, or the manifest's image
    where the service was never released. Returns the request with `pinned` (None: keep what runs) and `release_id`.
    """

    ui_color = "#fbe3d0"

    def work(self, context: Context) -> dict[str, Any]:
        """Resolve the digest; raises InvalidInput, NotFound or Unreachable with one sentence."""
        params, way = dict(context["params"]), self.way()
        params["requested_by"] = params.get("requested_by") or context["dag_run"].triggering_user_name
        live = self.ask(way.look)
        request = self._request(params, way, live)
        if request is None:
            self.log.info("%s keeps what it runs: no image was asked for.", self.service)
            return {"service": self.service, "pinned": None, "release_id": "", "image": None, "installed": True}
        self.log.info("%s → %s, asked for by %s", self.service, request.image, request.requested_by)
        return {
            **request.to_json(),
            "pinned": request.pinned,
            "release_id": context["run_id"],
            "installed": live.installed,
            "before": dict(live.before),
        }

    def _request(self, params: Mapping[str, Any], way: Way, live: Live) -> Request | None:
        from meshflow.clients import registry
        from meshflow.hooks import logins
        from meshflow.release.request import Request

        asked = str(params.get("image") or "").strip()
        if not asked and live.released:
            return None
        override = self.mesh.service(self.service).image
        request = Request.of(
            {
                "service": self.service,
                "image": full_image(asked or way.image, repository=override or way.image),
                "reason": params.get("reason") or "",
                "requested_by": params.get("requested_by") or "unknown",
            }
        )
        mesh = self.mesh
        resolved = asyncio.run(registry.resolve(request.image, registries=mesh.registry, logins=logins.of(mesh)))
        return request.resolved(resolved.digest)


class SetImage(ServiceOperator):
    """Set the image by digest, as `meshflow-release`, and nothing else.

    Where what serves runs the digest already nothing is written: the outcome will be `skipped`. A repeated task writes
    the same again, which changes nothing. Returns the release for `Follow`; None when there is nothing to release.
    """

    ui_color = "#fbe3d0"
    writes = True

    def __init__(self, *, request_task: str = "request", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_task = request_task

    def work(self, context: Context) -> dict[str, Any] | None:
        """Write, and say what has to be followed."""
        request = context["ti"].xcom_pull(task_ids=self.request_task)
        if request["pinned"] is None:
            self.log.info("Nothing to release.")
            return None
        way, order = self.way(), self._order(context, request)
        found = self.ask(lambda kube: way.release(kube, order))
        if found is None:
            self.log.info("%s runs %s already.", self.service, request["pinned"])
        return found

    def _order(self, context: Context, request: Mapping[str, Any]) -> Order:
        from meshflow.operators.ways import Order

        return Order(
            pinned=request["pinned"],
            release_id=request["release_id"],
            installed=request["installed"],
            before=request["before"],
            notes=context["task_state_store"],
            say=self.say,
        )


class Follow(ServiceOperator):
    """Follow the release by watch until its outcome is known; green only when the service runs what was asked for.

    The decision, with the timeline of weights and failed checks where there is one, is the XCom `outcome` whatever it
    is.
    """

    ui_color = "#fbe3d0"

    def __init__(self, *, release_task: str = "release", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release_task = release_task

    def work(self, context: Context) -> dict[str, Any]:
        """Start following in the triggerer."""
        found = context["ti"].xcom_pull(task_ids=self.release_task)
        wait = timedelta(seconds=self.mesh.service(self.service).timeout)
        trigger = self.way().trigger(found, cluster=self.cluster, wait=wait)
        self.defer(trigger=trigger, method_name="resume", timeout=wait + timedelta(minutes=1))
        raise AssertionError("defer does not return")

    def resume(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """The waiting is over."""
        return self.reporting(context, lambda: self._conclude(context, event))

    def _conclude(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        from meshflow.release.outcome import Outcome
        from meshflow.triggers.health import BLIND

        found = context["ti"].xcom_pull(task_ids=self.release_task)
        try:
            decision = self.way().conclude(event, found, ask=self.ask, say=self.say)
        except (errors.Degraded, errors.WaitExpired) as problem:
            if found:  # a release that did not become healthy has ended too, and its record says how
                ended = Outcome.UNKNOWN if event.get("status") == BLIND else Outcome.WEDGED
                told: dict[str, Any] = {"outcome": ended.value, "message": str(problem), "timeline": []}
                context["ti"].xcom_push(key=OUTCOME, value=told)
            raise
        outcome = Outcome(decision["outcome"])
        context["ti"].xcom_push(key=OUTCOME, value=decision)
        self.log.info("%s: %s", outcome.value, outcome.sentence)
        if not outcome.good:
            raise errors.Permanent(f"{outcome.value}: {decision['message']}")
        self.log.info("%s", decision["message"])
        return decision


def full_image(asked: str, *, repository: str) -> str:
    """An image with its registry from what a person typed: a tag, a digest, or the whole image.

    `repository` is the service's own image, whose tag and digest do not matter.
    """
    from meshflow.release.request import split_image

    own = split_image(repository)[0]
    if "/" in asked:
        return asked
    return f"{own}@{asked}" if asked.startswith("sha256:") else f"{own}:{asked}"
