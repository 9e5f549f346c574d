"""The scheduled comparison: what differs, what it means for the mesh, and its repair."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from meshflow import errors, settings
from meshflow.hooks import store
from meshflow.operators.base import MeshOperator
from meshflow.operators.plan import Planned, plan_all, summary

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.gates.model import Verdicts
    from meshflow.plan.model import Entry
    from meshflow.plan.stages import Stage

LOG_LINES = 400
REPORT_LINES = 50
VALUE_LIMIT = 200  # characters of one value in a finding
XCOM_LIMIT = 40_000  # characters of a list of findings in the XCom
GATES = ("mtls", "injection", "traffic")
SETTLE = 30.0  # seconds that these may take to pass: a pod that just starts is no drift
PAUSE = 3.0  # seconds between two looks
POLICY, STRICT = ("security.istio.io", "PeerAuthentication"), "STRICT"
TO_THE_MODE = ("spec", "spec.mtls")  # a change there brings the whole block, its mode with it


class Drifted(errors.Permanent):
    """The cluster is not as declared; the message counts and names what differs."""


class DriftOperator(MeshOperator):
    """A task of the drift check: it reads what `render` rendered."""

    def __init__(self, *, render_task: str = "render", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task = render_task

    def rendered(self, context: Context) -> Mapping[str, Mapping[str, Any]]:
        """{bundle: {digest, …}} of everything."""
        found: Mapping[str, Mapping[str, Any]] = context["ti"].xcom_pull(task_ids=self.render_task)
        return found


class Detect(DriftOperator):
    """Plan everything, write nothing, and say what differs.

    Returns {drift: [one line per object], unknown: [...], gates: [...], counts: {bundle: {action: number}}}. An object
    that could not be compared is `unknown`, which `Judge` does not take for fine.
    """

    ui_color = "#f5dfe3"

    def work(self, context: Context) -> dict[str, Any]:
        """The report; the whole diff is in the log and the store."""
        from meshflow.plan import render
        from meshflow.plan.model import Action

        mesh = self.mesh
        planned = self.ask(lambda kube: plan_all(kube, mesh, self.rendered(context)))
        drift: list[str] = []
        unknown: list[str] = []
        for bundle, (plan, _) in planned.items():
            store.write_text(store.plan_text(context["run_id"], bundle), render.text(plan))
            if plan.changed:
                self.log_lines(render.text(plan, limit=LOG_LINES))
            drift += [f"{bundle}: {describe(entry)}" for entry in plan.changed if entry.action is not Action.UNKNOWN]
            unknown += [f"{bundle}: {entry.reference}: {entry.message}" for entry in plan.having(Action.UNKNOWN)]
            self.log.info("%s: %s", bundle, summary(plan))
        verdicts = self.ask(lambda kube: _meaning(kube, mesh, as_declared=not (drift or unknown)))
        self.log_lines("\n".join(str(verdict) for verdict in verdicts))
        self.log.info("Not as declared: %d; not to be compared: %d", len(drift), len(unknown))
        return {
            "drift": bounded(drift),
            "unknown": bounded(unknown),
            "gates": verdicts.to_json(),
            "counts": {bundle: item.plan.counts() for bundle, item in planned.items()},
        }


class Remediate(DriftOperator):
    """Write what is declared, also over fields that another manager took. Skipped unless `remediate` is on.

    A bundle that would take plain text from a mesh in which something is known to speak it is left as it is, and fails
    the task once all others are repaired: such a mesh becomes STRICT by `secure_mesh`, when its evidence is in.
    """

    ui_color = "#f5dfe3"
    writes = True

    def work(self, context: Context) -> dict[str, Any]:
        """What was written, by object."""
        if not context["params"].get("remediate"):
            raise AirflowSkipException("remediate is off: nothing was written")
        if context["params"].get("approve"):
            raise errors.InvalidInput(
                "nobody is asked for approval here, so nothing was repaired",
                where="parameter",
                field="approve",
                way_out="Read the report of detect and start again without it, or run the phase: that asks",
            )
        mesh, written = self.mesh, self.remembered(context)
        with self.remembering(context, written):
            self.ask(lambda kube: self._repair(kube, mesh, context, written))
        return {"writes": written}

    async def _repair(self, kube: Kube, mesh: settings.Mesh, context: Context, written: dict[str, str]) -> None:
        refused: list[str] = []
        for bundle, item in self.rendered(context).items():
            planned = (await plan_all(kube, mesh, {bundle: item}, takeover=True))[bundle]
            against = await _against_strict(kube, mesh) if takes_plain_text(planned) else []
            if against:
                refused += [f"{bundle}: {reason}" for reason in against]
            else:
                await _apply(kube, planned, written)
        if refused:
            raise errors.GateFailed(
                f"{len(written)} objects were repaired, but not {'; '.join(refused)}. Mend that, then run secure_mesh.",
                verdicts=refused,
            )


class Judge(DriftOperator):
    """Fail on drift that was not repaired, on what could not be compared, and on a mesh that is not safe."""

    template_fields = ("cluster",)
    ui_color = "#f5dfe3"

    def __init__(self, *, detect_task: str = "detect", remediate_task: str = "remediate", **kwargs: Any) -> None:
        super().__init__(trigger_rule="none_failed", **kwargs)
        self.detect_task, self.remediate_task = detect_task, remediate_task

    def work(self, context: Context) -> dict[str, Any]:
        """The verdict in one sentence."""
        report = context["ti"].xcom_pull(task_ids=self.detect_task)
        repaired = context["ti"].xcom_pull(task_ids=self.remediate_task)
        if repaired is not None:
            report = self._look_again(context)
        findings = [*report["drift"], *report["unknown"], *_unsafe(report["gates"])]
        if findings:
            self.log_lines("\n".join(findings))
            told = "; ".join(findings[:REPORT_LINES])
            more = f"; and {len(findings) - REPORT_LINES} more" if len(findings) > REPORT_LINES else ""
            raise Drifted(
                f"{len(findings)} finding{'s'[: len(findings) != 1]}: {told}{more}. Put the cluster or the manifests "
                "right, or run this DAG with Repair on."
            )
        count = len(repaired["writes"]) if repaired else 0
        done = f"repaired, {count} object{'s'[: count != 1]} written" if repaired else "no drift"
        self.log.info("As declared: %s.", done)
        return {"verdict": done}

    def _look_again(self, context: Context) -> dict[str, Any]:
        from meshflow.plan.model import Action

        mesh = self.mesh
        planned = self.ask(lambda kube: plan_all(kube, mesh, self.rendered(context)))
        changed = [(bundle, entry) for bundle, (plan, _) in planned.items() for entry in plan.changed]
        verdicts = self.ask(lambda kube: _meaning(kube, mesh, as_declared=not changed))
        return {
            "drift": [
                f"{bundle}: {describe(entry)}" for bundle, entry in changed if entry.action is not Action.UNKNOWN
            ],
            "unknown": [f"{bundle}: {entry.reference}" for bundle, entry in changed if entry.action is Action.UNKNOWN],
            "gates": verdicts.to_json(),
        }


def describe(entry: Entry) -> str:
    """One line for one object: `Kind/namespace/name configure path: old → new (written by manager at time)`."""
    fields = [
        f"{change.path}: {_short(change.old)} → {_short(change.new)}"
        + (f" (written by {change.manager}{f' at {change.time}' if change.time else ''})" if change.manager else "")
        for change in entry.changes[:5]
    ]
    more = [f"and {len(entry.changes) - 5} more fields"] if len(entry.changes) > 5 else []
    return " ".join(filter(None, (str(entry), ", ".join([*fields, *more]) or entry.message)))


def _short(value: Any) -> str:
    """A value on one line; a dashboard or a schema only by its beginning."""
    written = repr(value)
    if len(written) <= VALUE_LIMIT:
        return written
    return f"{written[:VALUE_LIMIT]}… ({len(written)} characters)"


def bounded(lines: Sequence[str], *, limit: int = XCOM_LIMIT) -> list[str]:
    """The first lines that fit into so many characters, and one that counts the others."""
    sizes = accumulate(len(line) for line in lines)
    kept = [line for line, size in zip(lines, sizes, strict=True) if size <= limit]
    left = len(lines) - len(kept)
    return [*kept, f"and {left} more, which are in the log of detect"] if left else kept


def takes_plain_text(planned: Planned) -> bool:
    """Whether a plan makes a PeerAuthentication STRICT that is not."""
    strict = {
        item.reference
        for item in planned.objects
        if (item.reference.group, item.reference.kind) == POLICY
        and ((item.obj.get("spec") or {}).get("mtls") or {}).get("mode") == STRICT
    }
    return any(
        entry.reference in strict
        and (not entry.changes or any(c.new == STRICT or c.path in TO_THE_MODE for c in entry.changes))
        for entry in planned.plan.writes
    )


async def _against_strict(kube: Kube, mesh: settings.Mesh) -> list[str]:
    """What is known to break under STRICT, or why that cannot be known. No traffic at all is no reason."""
    from meshflow.engine import gates
    from meshflow.gates.model import Result

    verdicts = await gates.evaluate(kube, mesh, "mtls_evidence", {})
    return [verdict.reason for verdict in verdicts if verdict.result in (Result.FAIL, Result.ERROR)]


async def _apply(kube: Kube, planned: Planned, written: dict[str, str]) -> None:
    from meshflow.engine import applier

    def note(done: applier.Applied) -> None:
        written[str(done.reference)] = done.action.value

    async def go_on(_: Stage) -> None:
        """Repairs are not waited for: the gates of `Judge` look at the whole mesh afterwards."""

    if planned.plan.writes:
        await applier.run(kube, planned.objects, planned.plan, settled=go_on, done=note)


async def _meaning(kube: Kube, mesh: settings.Mesh, *, as_declared: bool) -> Verdicts:
    """What the state of the cluster means for the mesh, by the same gates as the phases use.

    Only where all is as declared are they given time: what differs is drift by itself, and may be why they fail.
    """
    from meshflow.engine import gates
    from meshflow.gates.model import Verdicts

    deadline = time.monotonic() + (SETTLE if as_declared else 0)
    while True:
        verdicts = Verdicts.of(*[await gates.evaluate(kube, mesh, name, {}) for name in GATES])
        if verdicts.passed or time.monotonic() >= deadline:
            return verdicts
        await asyncio.sleep(PAUSE)


def _unsafe(verdicts: list[Mapping[str, Any]]) -> list[str]:
    return [f"{item['gate']} {item['result']}: {item['reason']}" for item in verdicts if item["result"] != "pass"]
