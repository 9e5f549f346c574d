"""Which release to go back to: what the records of a service say succeeded before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import Context

from meshflow import errors
from meshflow.hooks import store
from meshflow.operators import bundles
from meshflow.operators.base import MeshOperator


class ChooseRollback(MeshOperator):
    """The image to roll back to: the param `image`, or what succeeded before the present release.

    Returns the conf of that rollout: {cluster, dry_run, approve, image, force, reason, requested_by}. Reads records
    only; the rollout itself is a run of the service's own DAG, which no quarantine holds up: whoever names a digest
    here knows what of, and one that failed is never chosen.
    """

    template_fields = ("cluster", "service")
    ui_color = "#fbe3d0"

    def __init__(self, *, service: str = "{{ params.service }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def work(self, context: Context) -> dict[str, Any]:
        """Choose; raises NotFound when no record says what ran before."""
        from meshflow.release import record

        params = context["params"]
        given = str(params.get("image") or "").strip()
        reason = str(params.get("reason") or f"rollback of {self.service}")
        chain = bundles.of_service(self.service)
        image = given or previous_image(record.read(store.records(chain)), cluster=self.cluster)
        if image is None:
            raise errors.NotFound(
                f"No earlier success of {self.service} on {self.cluster} is recorded, so there is nothing to go back "
                "to. Name the digest or tag in the parameter image."
            )
        self.log.info("%s goes back to %s", self.service, image)
        careful = {name: bool(params.get(name)) for name in ("dry_run", "approve")}
        return {
            "cluster": self.cluster,
            **careful,
            "image": image,
            "force": True,
            "reason": reason,
            "requested_by": context["dag"].dag_id,
        }


def previous_image(records: Iterable[Mapping[str, Any]], *, cluster: str) -> str | None:
    """The pinned image that ran before the present one and did not fail when it was last released; None without one.

    The present one is what was released last, whether it succeeded or failed. A run that set no image (a dry run, a
    push that the preflight refused) left what ran before it as it was.
    """
    released: dict[str, bool] = {}  # image → how it ended last; in the order of the last release
    for item in records:
        document = item["document"]
        request, outcome = document.get("request") or {}, document.get("outcome") or {}
        image, good = request.get("pinned"), outcome.get("outcome") in ("succeeded", "skipped")
        if image and document.get("cluster") == cluster and (good or document.get("release")):
            released.pop(image, None)
            released[image] = good
    before = list(released)[:-1]
    return next((image for image in reversed(before) if released[image]), None)
