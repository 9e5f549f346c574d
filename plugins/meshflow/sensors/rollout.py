"""May this release start? The request and the records are judged at once, what the cluster says is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from meshflow.gates import rollout
from meshflow.gates.model import Verdict, Verdicts
from meshflow.hooks import store
from meshflow.operators import bundles
from meshflow.operators.base import EVIDENCE
from meshflow.sensors.gates import GateSensor


class Preflight(GateSensor):
    """The gates before a release of `service`; nothing was changed when they fail.

    A digest in quarantine fails them at once, for waiting does not mend it; the param `force` lets it through. A run
    that asks for no image is not about a digest. With the param `supersede` a running analysis does not stand in the
    way. A dry run goes on to its plan whatever the cluster says.
    """

    def __init__(self, *, service: str, request_task: str = "request", **kwargs: Any) -> None:
        super().__init__(gates="preflight", options={"service": service}, **kwargs)
        self.service, self.request_task = service, request_task

    def work(self, context: Context) -> list[dict[str, Any]]:
        """The request's own gates, then a round of the cluster's."""
        self._know_the_way(context)
        if not all(verdict.passed for verdict in self._of_request(context)):
            return self._conclude(context, Verdicts())
        return super().work(context)

    def _know_the_way(self, context: Context) -> None:
        """What runs the service, by its manifests, and what stands in the way of a release there."""
        from meshflow.operators import ways

        way = ways.of(self.mesh, self.service)
        self.options["supersede"] = bool(context["params"].get("supersede"))
        self.options |= {"canary": way.canary, "workloads": [list(reference) for reference in way.workloads]}

    def _in_dry_run(self, context: Context) -> list[dict[str, Any]]:
        """What stands against the release now, said and not waited for."""
        from meshflow.engine import gates

        verdicts = self.ask(lambda kube: gates.evaluate(kube, self.mesh, self.gates, self.options))
        verdicts = Verdicts.of(self._of_request(context), verdicts)
        for verdict in verdicts:
            self.log.info("%s", verdict)
        context["ti"].xcom_push(key=EVIDENCE, value=verdicts.to_json())
        return verdicts.to_json()

    def _conclude(self, context: Context, verdicts: Verdicts) -> list[dict[str, Any]]:
        return super()._conclude(context, Verdicts.of(self._of_request(context), verdicts))

    def _of_request(self, context: Context) -> list[Verdict]:
        request = context["ti"].xcom_pull(task_ids=self.request_task)
        if request["pinned"] is None:
            return []
        reason = self._blocked(request["digest"])
        return [
            rollout.digest_resolved(request["digest"], image=request["image"]),
            rollout.not_quarantined(reason, force=bool(context["params"].get("force"))),
        ]

    def _blocked(self, digest: str) -> str | None:
        """Why the digest may not come back on this cluster, by the records of the service."""
        from meshflow.release import quarantine, record

        found = record.read(store.records(bundles.of_service(self.service)))
        here = (item for item in found if _cluster(item) == self.cluster)
        return quarantine.blocked(here, service=self.service, digest=digest)


def _cluster(record: Mapping[str, Any]) -> Any:
    return record["document"].get("cluster")
