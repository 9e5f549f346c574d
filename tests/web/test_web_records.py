"""The audit pages: what they show, to whom, and that a broken chain is seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from meshflow.release import record
from tests.web.conftest import World

TIMELINE = [
    {"time": "2026-11-20T10:00:00+00:00", "kind": "started", "message": "New revision detected! Starting analysis"},
    {"time": "2026-11-20T10:00:10+00:00", "kind": "weight", "message": "Advance weight 25", "value": 25.0, "unit": "%"},
    {
        "time": "2026-11-20T10:00:20+00:00",
        "kind": "failed_check",
        "message": "Halt advancement",
        "check": "request-success-rate",
        "value": 80.25,
        "threshold": 99.0,
        "unit": "%",
    },
]


@pytest.fixture
def written(world: World) -> World:
    """A good and a bad release of web, a phase, and a service that the reader may not see."""
    release(world, "web", "run-1", "succeeded", "promoted")
    release(world, "web", "run-2", "rolled_back", "too many <errors>", timeline=TIMELINE)
    release(world, "secret", "run-1", "succeeded", "promoted")
    failure = {"task": "apply", "error": "Conflict", "message": "kubectl owns spec.replicas"}
    counts = {"create": 3, "configure": 0, "unchanged": 2}
    plan = {"summary": "istio: 3 create, 2 unchanged", "plans": {"istio": {"counts": counts}}}
    phase = {"dag": "install_istio", "run": "r", "failures": [failure], "outcome": None, "plan": plan}
    record.append(world.records / "istio", phase)
    return world


def release(world: World, service: str, run: str, outcome: str, message: str, **more: Any) -> None:
    gate = {"gate": "rollout.sidecar", "result": "pass", "reason": "by its label", "numbers": {"pods": 2.0}}
    document = {
        "dag": f"rollout_{service}",
        "run": run,
        "cluster": "default",
        "request": {
            "service": service,
            "image": f"ghcr.io/acme/{service}:2",
            "requested_by": "ada",
            "reason": "better",
        },
        "gates": [gate],
        "outcome": {"outcome": outcome, "message": message, "timeline": [], **more},
        "failures": [],
    }
    record.append(world.records / f"service-{service}", document)


def text(client: TestClient, path: str = "") -> str:
    answer = client.get(f"/meshflow/records{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def test_the_chains_are_listed_with_the_newest_record_of_each(reader: TestClient, written: World) -> None:
    page = text(reader)
    assert 'href="/meshflow/records/service-web"' in page
    assert "rolled_back" in page
    assert "kubectl owns spec.replicas" in page
    assert "too many &lt;errors&gt;" in page


def test_what_the_reader_may_not_read_in_airflow_is_not_shown_here(reader: TestClient, written: World) -> None:
    assert "service-secret" not in text(reader)
    assert reader.get("/meshflow/records/service-secret").status_code == 403
    assert reader.get("/meshflow/records/service-secret/1").status_code == 403


@pytest.mark.parametrize("path", ["", "/service-web", "/service-web/1"])
def test_who_is_not_logged_in_sees_nothing(client: TestClient, written: World, path: str) -> None:
    answer = client.get(f"/meshflow/records{path}")
    assert answer.status_code == 401
    assert "service-web" not in answer.text


def test_a_chain_shows_its_records_the_newest_first_and_that_it_holds(reader: TestClient, written: World) -> None:
    page = text(reader, "/service-web")
    assert page.index("run-2") < page.index("run-1")
    assert "holds" in page
    assert 'href="/dags/rollout_web/runs/run-2"' in page


def test_a_record_shows_outcome_weights_gates_and_figures(reader: TestClient, written: World) -> None:
    page = text(reader, "/service-web/2")
    for words in (
        "The digest failed, and all traffic is on the previous one.",
        "too many &lt;errors&gt;",
        "width: 25%",
        "request-success-rate 80.25% against 99%",
        "rollout.sidecar",
        "pods 2",
        "asked for by",
        "holds",
    ):
        assert words in page


def test_the_record_of_a_phase_shows_what_was_planned_and_what_went_wrong(reader: TestClient, written: World) -> None:
    page = text(reader, "/istio/1")
    assert "<dt>istio</dt><dd>3 create, 2 unchanged</dd>" in page
    assert "<b>apply</b> Conflict: kubectl owns spec.replicas" in page


def drift(world: World, *, findings: list[str], writes: dict[str, str] | None = None) -> None:
    gate = {"gate": "mtls.effective", "result": "pass", "reason": "all are STRICT", "numbers": {}}
    document = {
        "dag": "check_drift",
        "run": "r",
        "trigger": {"type": "manual", "by": "ada", "conf": {}},
        "drift": {"drift": findings, "unknown": [], "gates": [gate]},
        "remediation": None if writes is None else {"writes": writes},
        "outcome": None,
        "failures": [],
    }
    record.append(world.records / "drift", document)


def test_the_record_of_a_drift_check_shows_what_it_found_and_repaired(reader: TestClient, world: World) -> None:
    world.readable = {*world.readable, "check_drift"}
    drift(world, findings=[])
    assert "as declared" in text(reader, "/drift")
    drift(world, findings=["mtls: PeerAuthentication/a/b conflict"], writes={"PeerAuthentication/a/b": "configure"})
    assert "repaired: PeerAuthentication/a/b" in text(reader)
    page = text(reader, "/drift/2")
    assert "<li>mtls: PeerAuthentication/a/b conflict</li>" in page
    assert "all are STRICT" in page
    assert "<dt>started by</dt><dd>ada</dd>" in page


def test_a_changed_record_is_seen(reader: TestClient, written: World) -> None:
    first = sorted((written.records / "service-web").glob("*.json"))[0]
    changed = json.loads(first.read_text())
    changed["document"]["outcome"]["message"] = "all was well"
    first.write_text(json.dumps(changed))
    assert "does not hold. record 1: changed after it was written" in text(reader, "/service-web/2")
    assert "does not hold" in text(reader, "/service-web")


@pytest.mark.parametrize("path", ["/nothing", "/service-web/9", "/..%2f..%2fetc", "/service-web/one"])
def test_what_is_not_there_is_not_found(reader: TestClient, written: World, path: str) -> None:
    assert reader.get(f"/meshflow/records{path}").status_code in (404, 422)


def test_before_the_first_run_the_page_says_so(reader: TestClient, world: World) -> None:
    assert "There are none yet" in text(reader)
    Path(world.records).mkdir()
    assert "There are none yet" in text(reader)
