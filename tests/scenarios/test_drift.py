"""What was changed behind Meshflow's back is found, told, and repaired when asked for."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.scenarios.scene import NAMESPACE, Ended, Scene

pytestmark = pytest.mark.airflow

POLICY = "/apis/security.istio.io/v1/namespaces/istio-system/peerauthentications/default"
BUDGET = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/data-retrieval"


class Found(NamedTuple):
    """A check that only looks (although it was asked to repair, by a dry run), a repair, and a check after it."""

    looked: Ended
    writes: int
    repaired: Ended
    afterwards: Ended


@pytest.fixture(scope="module")
def found(mesh: Scene) -> Found:
    assert mesh.cluster.get(BUDGET)
    mesh.cluster.merge(POLICY, {"spec": {"mtls": {"mode": "PERMISSIVE"}}}, manager="kubectl-edit")
    mesh.cluster.delete(BUDGET)
    before = mesh.writes()
    looked = mesh.run("check_drift", dry_run=True, remediate=True)
    counted = mesh.writes() - before
    return Found(looked, counted, mesh.run("check_drift", remediate=True), mesh.run("check_drift"))


def test_a_changed_field_is_told_with_both_values_and_who_changed_it(found: Found, mesh: Scene) -> None:
    report = mesh.api.xcom("check_drift", found.looked.run_id, "detect")["drift"]
    (line,) = [line for line in report if "PeerAuthentication/istio-system/default" in line]
    assert "spec.mtls.mode: 'PERMISSIVE' → 'STRICT'" in line
    assert "written by kubectl-edit at 20" in line


def test_a_deleted_object_is_told(found: Found, mesh: Scene) -> None:
    report = mesh.api.xcom("check_drift", found.looked.run_id, "detect")["drift"]
    assert [line for line in report if f"PodDisruptionBudget/{NAMESPACE}/data-retrieval create" in line]
    assert len(report) == 2


def test_drift_fails_the_run_with_one_sentence(found: Found, mesh: Scene) -> None:
    assert found.looked.state == "failed"
    said = mesh.failure("check_drift", found.looked.run_id)
    assert "PeerAuthentication/istio-system/default" in said
    assert "data-retrieval" in said
    assert mesh.record(found.looked)["drift"]["drift"]


def test_a_dry_run_writes_nothing(found: Found, mesh: Scene) -> None:
    assert found.writes == 0
    assert mesh.states(found.looked)["remediate"] == "skipped"


def test_repair_puts_both_right_and_writes_nothing_else(found: Found, mesh: Scene) -> None:
    assert found.repaired.state == "success", mesh.why(found.repaired)
    assert mesh.api.xcom("check_drift", found.repaired.run_id, "remediate")["writes"] == {
        "PeerAuthentication/istio-system/default": "configure",
        f"PodDisruptionBudget/{NAMESPACE}/data-retrieval": "create",
    }
    assert mesh.cluster.get(POLICY)["spec"]["mtls"]["mode"] == "STRICT"
    assert mesh.cluster.get(BUDGET)


def test_afterwards_there_is_no_drift(found: Found, mesh: Scene) -> None:
    assert found.afterwards.state == "success", mesh.why(found.afterwards)
    assert mesh.api.xcom("check_drift", found.afterwards.run_id, "judge") == {"verdict": "no drift"}
