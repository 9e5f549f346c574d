"""The gates of a stage, asked until they pass or their time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from meshflow.gates.model import Verdicts
from meshflow.operators.base import EVIDENCE, MeshOperator


class GateSensor(MeshOperator):
    """Ask the gates named `gates` (engine/gates.py); fail with the evidence when they do not pass in time.

    The first round runs in the worker, later ones in the triggerer. Returns the verdicts and leaves them in the XCom
    `evidence` also when it fails. `publish` names figures that others want by themselves once all gates pass: XCom key
    → (gate, name of the number). Skipped in a dry run: what was not written cannot be seen.
    """

    template_fields = ("cluster", "options")
    ui_color = "#e6dcf5"

    def __init__(
        self,
        *,
        gates: str,
        options: Mapping[str, Any] | None = None,
        publish: Mapping[str, tuple[str, str]] | None = None,
        patience: timedelta = timedelta(minutes=5),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.publish = dict(publish or {})
        self.gates, self.options, self.patience = gates, dict(options or {}), patience

    def work(self, context: Context) -> list[dict[str, Any]]:
        """The first round; the rest is waited for elsewhere."""
        if context["params"].get("dry_run"):
            return self._in_dry_run(context)
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

    def _in_dry_run(self, context: Context) -> list[dict[str, Any]]:
        raise AirflowSkipException("dry run: nothing was written, so there is nothing to look at")

    def resume(self, context: Context, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The last round's verdicts."""
        return self.reporting(context, lambda: self._conclude(context, Verdicts.from_json(event["verdicts"])))

    def _conclude(self, context: Context, verdicts: Verdicts) -> list[dict[str, Any]]:
        for verdict in verdicts:
            self.log.info("%s", verdict)
        context["ti"].xcom_push(key=EVIDENCE, value=verdicts.to_json())
        verdicts.raise_unless_passed(self.gates)
        self._publish(context, verdicts)
        return verdicts.to_json()

    def _publish(self, context: Context, verdicts: Verdicts) -> None:
        found = {verdict.gate: verdict.numbers for verdict in verdicts}
        for key, (gate, number) in self.publish.items():
            value = found.get(gate, {}).get(number)
            self.log.info("%s: %s", key, value)
            context["ti"].xcom_push(key=key, value=value)
