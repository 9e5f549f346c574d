"""Flagger's own metrics, under their real names and labels."""

from __future__ import annotations

from sandbox.metrics import Page, sorted_labels
from sandbox.standins.flagger.spec import Canary
from sandbox.standins.flagger.status import Phase

VERSION = "1.44.0"
_STATUS = {Phase.PROGRESSING: 0.0, Phase.FAILED: 2.0}


class Recorder:
    """Writes to one page."""

    def __init__(self, page: Page, *, version: str = VERSION, provider: str = "istio") -> None:
        self.page = page
        page.set("flagger_info", 1.0, version=version, mesh_provider=provider)

    def totals(self, by_namespace: dict[str, int]) -> None:
        self.page.drop("flagger_canary_total")
        for namespace, total in by_namespace.items():
            self.page.set("flagger_canary_total", float(total), namespace=namespace)

    def status(self, canary: Canary, phase: Phase) -> None:
        value = _STATUS.get(phase, 1.0)
        self.page.set("flagger_canary_status", value, name=canary.target, namespace=canary.namespace)

    def weight(self, canary: Canary, primary: int, weight: int) -> None:
        for workload, value in ((canary.primary, primary), (canary.target, weight)):
            self.page.set("flagger_canary_weight", float(value), workload=workload, namespace=canary.namespace)

    def analysis(self, canary: Canary, metric: str, value: float) -> None:
        self.page.set(
            "flagger_canary_metric_analysis", value, name=canary.target, namespace=canary.namespace, metric=metric
        )

    def finished(self, canary: Canary, *, succeeded: bool, skipped: bool) -> None:
        name = "flagger_canary_successes_total" if succeeded else "flagger_canary_failures_total"
        labels = {
            "name": canary.target,
            "namespace": canary.namespace,
            "deployment_strategy": str(canary.analysis.strategy),
            "analysis_status": "skipped" if skipped else "completed",
        }
        self.page.add(name, sorted_labels(labels), 1.0)
