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

    Returns {image, reason}. Reads records only; the rollout itself is a run of the service's own DAG.
    """

    template_fields = ("cluster", "service")
    ui_color = "#fbe3d0"

    def __init__(self, *, service: str = "{{ params.service }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def work(self, context: Context) -> dict[str, str]:
        """Choose; raises NotFound when no record says what ran before."""
        from meshflow.release import record

        given = str(context["params"].get("image") or "")
        reason = str(context["params"].get("reason") or f"rollback of {self.service}")
        chain = bundles.of_service(self.service)
        image = given or previous_image(record.read(store.records(chain)), cluster=self.cluster)
        if image is None:
            raise errors.NotFound(
                f"No earlier success of {self.service} on {self.cluster} is recorded, so there is nothing to go back "
                "to. Name the digest or tag in the parameter image."
            )
        self.log.info("%s goes back to %s", self.service, image)
        return {"image": image, "reason": reason}


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
