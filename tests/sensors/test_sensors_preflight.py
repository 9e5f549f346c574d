"""Before a release: what the request and the records say is judged at once, and only then the cluster is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred

from meshflow import errors
from meshflow.gates import rollout
from meshflow.gates.model import Result, Verdict, Verdicts
from meshflow.objects.reference import Reference
from meshflow.operators import ways
from meshflow.release import record
from meshflow.sensors.rollout import Preflight
from tests.operators.harness import Run

GOOD, BAD = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
WORKLOAD = Reference("apps", "Deployment", "weather", "web-server")
HEALTHY = Verdicts.of(Verdict("istio.available", Result.PASS, "istiod is available"))


@pytest.fixture
def asked(tmp_path, monkeypatch) -> list[str]:
    """How often the cluster is asked; it answers that all is well."""
    questions: list[str] = []

    def ask(self: Preflight, question: Any) -> Verdicts:
        questions.append(self.service)
        return HEALTHY

    monkeypatch.setattr(Preflight, "ask", ask)
    monkeypatch.setattr(ways, "of", lambda mesh, service: SimpleNamespace(canary="shop", workloads=(WORKLOAD,)))
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path))
    for number, (digest, outcome) in enumerate([(GOOD, "succeeded"), (BAD, "rolled_back")]):
        ended(tmp_path, digest, outcome, run=f"run-{number}")
    return questions


def ended(home, digest: str, outcome: str, *, run: str, cluster: str = "default") -> None:
    document = {
        "run": run,
        "cluster": cluster,
        "request": {"service": "web", "digest": digest},
        "outcome": {"outcome": outcome, "message": "98.1 % of requests succeeded, 99 % were asked for"},
    }
    record.append(home / "records/service-web", document)


def preflight(digest: str | None, **params: Any) -> tuple[Run, Any]:
    run = Run(**params)
    image = f"ghcr.io/acme/web@{digest}" if digest else None
    run.xcoms["request", "return_value"] = {"pinned": image, "image": image, "digest": digest}
    task = Preflight(task_id="preflight", service="web", cluster=params.get("cluster", "default"))
    return run, lambda: run.execute(task, wait=False)


def test_a_digest_that_failed_here_is_refused_before_the_cluster_is_asked(asked) -> None:
    run, execute = preflight(BAD)
    with pytest.raises(
        errors.GateFailed, match=r"ended as rolled_back in run run-1: 98\.1 %.*Start it with Release it again"
    ):
        execute()
    assert not asked
    evidence = run.xcoms["preflight", "evidence"]
    assert [(item["gate"], item["result"]) for item in evidence] == [
        ("rollout.digest", "pass"),
        ("rollout.quarantine", "fail"),
    ]


def test_force_lets_it_out_and_says_so(asked) -> None:
    run, execute = preflight(BAD, force=True)
    assert [item["result"] for item in execute()] == ["pass"] * 3
    assert "forced, though" in run.xcoms["preflight", "evidence"][1]["reason"]
    assert asked


def test_a_success_ends_the_quarantine(asked, tmp_path) -> None:
    ended(tmp_path, BAD, "succeeded", run="forced")
    assert preflight(BAD)[1]()


def test_other_digests_other_clusters_and_runs_without_an_image_are_not_held_up(asked) -> None:
    assert preflight(GOOD)[1]()
    assert preflight(BAD, cluster="other")[1]()
    assert [item["gate"] for item in preflight(None)[1]()] == ["istio.available"]


def test_what_the_cluster_says_is_waited_for_with_the_requests_own_gates_kept(asked, monkeypatch) -> None:
    busy = Verdicts.of(Verdict("rollout.canary_idle", Result.FAIL, "the Canary is busy"))
    monkeypatch.setattr(Preflight, "ask", lambda self, question: busy)
    run, execute = preflight(GOOD)
    with pytest.raises(TaskDeferred) as deferred:
        execute()
    options = deferred.value.trigger.options  # the names are those of the manifests, not the service's
    assert (options["canary"], options["workloads"]) == ("shop", [list(WORKLOAD)])
    task = Preflight(task_id="preflight", service="web", cluster="default")
    verdicts = task.resume(run.context(task), {"verdicts": HEALTHY.to_json()})
    assert [item["gate"] for item in verdicts] == ["rollout.digest", "rollout.quarantine", "istio.available"]


def test_a_dry_run_says_what_stands_against_it_and_goes_on(asked, monkeypatch) -> None:
    sick = Verdicts.of(Verdict("istio.available", Result.FAIL, "there is no istiod"))
    monkeypatch.setattr(Preflight, "ask", lambda self, question: sick)
    run, execute = preflight(GOOD, dry_run=True)
    assert [verdict["result"] for verdict in execute()] == ["pass", "pass", "fail"]
    assert run.xcoms["preflight", "evidence"] == run.xcoms["preflight", "return_value"]


def test_a_later_release_may_take_the_place_of_an_analysis_and_never_of_a_promotion() -> None:
    def idle(phase: str, *, supersede: bool) -> bool:
        canary = {"metadata": {"name": "web"}, "spec": {}, "status": {"phase": phase}}
        return rollout.canary_idle(canary, supersede=supersede).passed

    assert [idle(phase, supersede=True) for phase in ("Progressing", "Promoting", "Finalising")] == [True, False, False]
    assert not idle("Progressing", supersede=False)
    assert idle("Succeeded", supersede=True)


@pytest.mark.parametrize("asked_for", [True, False])
def test_superseding_is_asked_for_by_a_param(asked, asked_for) -> None:
    run = Run(supersede=asked_for)
    run.xcoms["request", "return_value"] = {"pinned": None}
    task = Preflight(task_id="preflight", service="web", cluster="default")
    run.execute(task)
    assert (task.options["service"], task.options["supersede"]) == ("web", asked_for)
