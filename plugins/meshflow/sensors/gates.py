"""The gates of a stage, asked until they pass or their time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from meshflow.gates.model import Verdicts
from meshflow.operators.base import EVIDENCE, MeshOperator


class GateSensor(MeshOperator):
    """Ask the gates named `gates` (engine/gates.py); fail with the evidence when they do not pass in time.

    The first round runs in the worker, later ones in the triggerer. Returns the verdicts and leaves them in the XCom
    `evidence` also when it fails.
    """

    template_fields = ("cluster", "options")
    ui_color = "#e6dcf5"

    def __init__(
        self,
        *,
        gates: str,
        options: Mapping[str, Any] | None = None,
        patience: timedelta = timedelta(minutes=5),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gates, self.options, self.patience = gates, dict(options or {}), patience

    def work(self, context: Context) -> list[dict[str, Any]]:
        """The first round; the rest is waited for elsewhere."""
        from meshflow.engine import gates
        from meshflow.triggers.gates import GatesTrigger

        mesh = self.mesh
        verdicts = self.ask(lambda kube: gates.evaluate(kube, mesh, self.gates, self.options))
        if not verdicts.passed and self.patience:
            self.log_lines("\n".join(str(verdict) for verdict in verdicts.worst_first() if not verdict.passed))
            self.log.info("Asking again for up to %s", self.patience)
            self.defer(
                trigger=GatesTrigger.within(
                    self.patience, cluster=self.cluster, gates=self.gates, options=self.options
                ),
                method_name="resume",
                timeout=self.patience + timedelta(minutes=1),
            )
        return self._conclude(context, verdicts)

    def resume(self, context: Context, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The last round's verdicts."""
        return self.reporting(context, lambda: self._conclude(context, Verdicts.from_json(event["verdicts"])))

    def _conclude(self, context: Context, verdicts: Verdicts) -> list[dict[str, Any]]:
        for verdict in verdicts:
            self.log.info("%s", verdict)
        context["ti"].xcom_push(key=EVIDENCE, value=verdicts.to_json())
        verdicts.raise_unless_passed(self.gates)
        return verdicts.to_json()
