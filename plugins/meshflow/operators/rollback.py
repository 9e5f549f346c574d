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

    Returns the conf of that rollout: {cluster, dry_run, approve, image, reason, requested_by}. Reads records only; the
    rollout itself is a run of the service's own DAG.
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
        given = str(params.get("image") or "")
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
            "reason": reason,
            "requested_by": context["dag"].dag_id,
        }


def previous_image(records: Iterable[Mapping[str, Any]], *, cluster: str) -> str | None:
    """The pinned image that succeeded before the one that was asked for last; None when there is none.

    A release that failed is the present one too: then the last success is where to go back to.
    """
    asked: list[tuple[str, bool]] = []
    for item in records:
        document = item["document"]
        request, outcome = document.get("request") or {}, document.get("outcome") or {}
        if document.get("cluster") == cluster and request.get("pinned"):
            asked.append((request["pinned"], outcome.get("outcome") in ("succeeded", "skipped")))
    if not asked:
        return None
    present = asked[-1][0]
    return next((image for image, good in reversed(asked) if good and image != present), None)
