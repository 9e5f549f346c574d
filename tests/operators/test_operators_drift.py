"""What differs, how it is told, what is made of it, and its repair."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from meshflow import errors
from meshflow.engine import gates
from meshflow.gates.model import Result, Verdict, Verdicts
from meshflow.objects.reference import Reference
from meshflow.operators import drift
from meshflow.operators.apply import Apply
from meshflow.operators.drift import Detect, Drifted, Judge, Remediate, bounded, describe
from meshflow.operators.plan import PlanTask
from meshflow.operators.render import Render
from meshflow.plan.model import Action, Change, Entry
from tests.operators.harness import Run, World

WEB = Reference("apps", "Deployment", "weather", "web")
PASSED = {"gate": "mtls", "result": "pass", "reason": "as declared", "numbers": {}}


@pytest.fixture
def declared(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two applied objects; the gates about the mesh's meaning are fine."""

    async def fine(*_: Any, **__: Any) -> Verdicts:
        return Verdicts.of([Verdict.from_json(PASSED)])

    monkeypatch.setattr(drift, "_meaning", fine)
    world.phase("istio", [world.config("a", colour="red"), world.config("b")])
    run = rendered(Run("before"))
    run.execute(PlanTask(task_id="plan", cluster="default"))
    run.execute(Apply(task_id="apply", bundle="istio", cluster="default"))
    return world


def rendered(run: Run) -> Run:
    run.execute(Render(task_id="render", bundles=["istio"], cluster="default"))
    return run


def detect(run: Run) -> Any:
    return rendered(run).execute(Detect(task_id="detect", cluster="default"))


def remediate(run: Run) -> Any:
    return run.execute(Remediate(task_id="remediate", cluster="default"))


def judge(run: Run) -> Any:
    return run.execute(Judge(task_id="judge", cluster="default"))


def path(world: World, name: str) -> str:
    return f"/api/v1/namespaces/{world.namespace}/configmaps/{name}"


def test_a_cluster_as_declared_has_no_drift(declared: World) -> None:
    run, before = Run(), declared.writes()
    assert detect(run)["drift"] == []
    assert judge(run) == {"verdict": "no drift"}
    assert declared.writes() == before


def test_a_field_changed_by_hand_is_told_with_both_values_and_who_wrote_it(declared: World) -> None:
    declared.cluster.merge(path(declared, "a"), {"data": {"colour": "green"}}, manager="kubectl-edit")
    (line,) = detect(Run())["drift"]
    assert line.startswith(f"istio: ConfigMap/{declared.namespace}/a ")
    assert "data.colour: 'green' → 'red' (written by kubectl-edit at 20" in line


def test_a_deleted_object_is_drift(declared: World) -> None:
    declared.cluster.delete(path(declared, "b"))
    run = Run()
    (line,) = detect(run)["drift"]
    assert f"ConfigMap/{declared.namespace}/b create" in line
    with pytest.raises(Drifted, match=r"1 finding: istio: ConfigMap/.*/b create"):
        judge(run)


def test_repair_writes_what_is_declared_and_nothing_else(declared: World) -> None:
    declared.cluster.merge(path(declared, "a"), {"data": {"colour": "green"}}, manager="kubectl-edit")
    declared.cluster.delete(path(declared, "b"))
    run = Run(remediate=True)
    detect(run)
    writes = remediate(run)["writes"]
    assert writes == {f"ConfigMap/{declared.namespace}/a": "configure", f"ConfigMap/{declared.namespace}/b": "create"}
    assert judge(run) == {"verdict": "repaired, 2 objects written"}
    assert (declared.live("configmaps", "a") or {})["data"] == {"colour": "red"}
    assert detect(Run("afterwards"))["drift"] == []


def test_a_repair_that_should_be_approved_is_refused(declared: World) -> None:
    """Nobody is asked in this pipeline: to go on would be to repair what a person wanted to see first."""
    declared.cluster.delete(path(declared, "b"))
    run, before = Run(remediate=True, approve=True), declared.writes()
    detect(run)
    with pytest.raises(errors.InvalidInput, match=r"approve: nobody is asked.*nothing was repaired"):
        remediate(run)
    assert declared.writes() == before


def test_each_finding_is_a_line_of_the_log(declared: World, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for all of them runs out of the page."""
    for name in "ab":
        declared.cluster.delete(path(declared, name))
    run = Run()
    lines = detect(run)["drift"]
    capsys.readouterr()
    with pytest.raises(Drifted):
        judge(run)
    told = capsys.readouterr().out
    assert all(f"] {line} " in told for line in lines), told


def test_repair_is_off_unless_asked_for(declared: World) -> None:
    with pytest.raises(AirflowSkipException, match="remediate is off"):
        remediate(rendered(Run()))


def test_a_dry_run_repairs_nothing(declared: World) -> None:
    declared.cluster.delete(path(declared, "b"))
    before, run = declared.writes(), Run(remediate=True, dry_run=True)
    detect(run)
    with pytest.raises(AirflowSkipException, match="dry run"):
        remediate(run)
    assert declared.writes() == before


def test_a_repair_that_did_not_hold_is_a_finding(declared: World) -> None:
    run = Run(remediate=True)
    detect(run)
    remediate(run)
    declared.cluster.delete(path(declared, "b"))
    with pytest.raises(Drifted, match="/b create"):
        judge(run)


def judged(report: dict[str, Any]) -> str:
    run = Run()
    run.xcoms["detect", "return_value"] = {"drift": [], "unknown": [], "gates": [], **report}
    with pytest.raises(Drifted) as failure:
        judge(run)
    return str(failure.value)


def test_what_could_not_be_compared_is_not_fine() -> None:
    assert "1 finding: istio: ConfigMap/x/y: the server refused" in judged(
        {"unknown": ["istio: ConfigMap/x/y: the server refused"]}
    )


@pytest.mark.parametrize("result", ["fail", "inconclusive", "error"])
def test_a_gate_that_did_not_pass_is_a_finding(result: str) -> None:
    gate = {**PASSED, "result": result, "reason": "weather/web accepts plaintext"}
    assert f"mtls {result}: weather/web accepts plaintext" in judged({"gates": [gate]})


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gates that fail at the first look and pass at the next; which were asked."""
    asked: list[str] = []

    async def evaluate(_kube: Any, _mesh: Any, name: str, _options: Any) -> list[Verdict]:
        asked.append(name)
        return [Verdict(name, Result.FAIL if len(asked) <= len(drift.GATES) else Result.PASS, "as asked")]

    monkeypatch.setattr(gates, "evaluate", evaluate)
    monkeypatch.setattr(drift, "SETTLE", 600.0)
    monkeypatch.setattr(drift, "PAUSE", 0.0)
    return asked


async def test_a_pod_that_just_starts_is_no_finding(starting: list[str]) -> None:
    assert (await drift._meaning(None, None, as_declared=True)).passed
    assert len(starting) == 2 * len(drift.GATES)


async def test_what_differs_is_told_without_waiting_for_gates_that_it_makes_fail(starting: list[str]) -> None:
    assert not (await drift._meaning(None, None, as_declared=False)).passed
    assert starting == list(drift.GATES)


def test_a_long_list_of_findings_is_cut_and_counted() -> None:
    said = judged({"drift": [f"line {number}" for number in range(60)]})
    assert said.startswith("60 findings: line 0; ")
    assert "and 10 more" in said
    assert "line 50" not in said


def test_drift_is_not_tried_again() -> None:
    assert issubclass(Drifted, errors.Permanent)


def test_a_line_names_the_first_five_fields_and_counts_the_others() -> None:
    changes = tuple(Change(f"spec.{name}", 1, 2) for name in "abcdefg")
    line = describe(Entry(WEB, Action.CONFIGURE, changes))
    assert line.startswith("Deployment/weather/web configure spec.a: 1 → 2, ")
    assert line.endswith("and 2 more fields")


def test_a_line_says_who_wrote_the_present_value_and_when() -> None:
    change = Change("spec.replicas", 3, 2, manager="kubectl-scale", time="2026-01-01T00:00:00Z")
    assert "3 → 2 (written by kubectl-scale at 2026-01-01T00:00:00Z)" in describe(
        Entry(WEB, Action.CONFIGURE, (change,))
    )


def test_an_object_without_changed_fields_has_its_message() -> None:
    assert (
        describe(Entry(WEB, Action.CREATE, message="does not exist")) == "Deployment/weather/web create does not exist"
    )


def test_a_repeated_repair_keeps_what_its_first_try_wrote(declared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def repair(_self: Any, _kube: Any, _mesh: Any, _context: Any, written: dict[str, str]) -> None:
        tries.append(1)
        if len(tries) == 1:
            written["ConfigMap/a/b"] = "configure"
            raise errors.ServerBusy("busy", status=503)

    monkeypatch.setattr(Remediate, "_repair", repair)
    run = rendered(Run(remediate=True))
    with pytest.raises(errors.ServerBusy):
        remediate(run)
    assert remediate(run)["writes"] == {"ConfigMap/a/b": "configure"}


@pytest.mark.parametrize(
    ("result", "there", "afterwards"),
    [
        ("fail", {"mtls": {"mode": "PERMISSIVE"}}, "PERMISSIVE"),
        ("fail", {"mtls": {}}, None),
        ("fail", {}, None),
        ("error", {"mtls": {"mode": "PERMISSIVE"}}, "PERMISSIVE"),
        ("inconclusive", {"mtls": {"mode": "PERMISSIVE"}}, "STRICT"),
    ],
)
def test_a_repair_takes_no_plain_text_from_those_who_speak_it(
    declared: World, monkeypatch: pytest.MonkeyPatch, result: str, there: dict[str, Any], afterwards: str | None
) -> None:
    async def evidence(*_: Any) -> Verdicts:
        return Verdicts.of(Verdict("mtls.evidence", Result(result), "old → web: 12 requests in plain text"))

    monkeypatch.setattr(gates, "evaluate", evidence)
    policies = f"/apis/security.istio.io/v1/namespaces/{declared.namespace}/peerauthentications"
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": declared.namespace},
        "spec": there,
    }
    declared.cluster.create(policies, policy)
    declared.phase("mtls", [{**policy, "spec": {"mtls": {"mode": "STRICT"}}}])
    declared.cluster.delete(path(declared, "b"))
    run = Run(remediate=True)
    run.execute(Render(task_id="render", bundles=["istio", "mtls"], cluster="default"))
    run.execute(Detect(task_id="detect", cluster="default"))
    if afterwards == "STRICT":
        remediate(run)
    else:
        with pytest.raises(errors.GateFailed, match="1 objects were repaired, but not mtls: old → web: 12 requests"):
            remediate(run)
    live = declared.live("security.istio.io/v1/peerauthentications", "default")
    assert live
    assert live["spec"].get("mtls", {}).get("mode") == afterwards
    assert declared.live("configmaps", "b"), "the others are repaired all the same"


def test_a_huge_value_is_told_by_its_beginning_and_its_size() -> None:
    """A dashboard of 300 kB in a ConfigMap would be in the log, the XCom, the message and the record."""
    line = describe(Entry(WEB, Action.CONFIGURE, (Change("data", "x" * 300_000, "y"),)))
    assert len(line) < 500
    assert "… (300002 characters)" in line


def test_a_report_of_thousands_fits_into_an_xcom_and_still_counts_the_rest() -> None:
    kept = bounded([f"istio: ConfigMap/x/{number} configure" for number in range(5000)])
    assert sum(map(len, kept)) < 45_000
    assert kept[-1] == f"and {5000 - len(kept) + 1} more, which are in the log of detect"
