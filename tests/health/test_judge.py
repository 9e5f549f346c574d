"""The health of one object: each file of cases/ is an object in a state, named `<kind>-<state>`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from meshflow.health import judge
from meshflow.health.model import Health, Status
from meshflow.objects.kinds import Kinds
from meshflow.objects.reference import Reference

CASES = Path(__file__).parent / "cases"

EXPECTED = {
    "anything-not-ready": ("progressing", "not ready: Broken: cannot"),
    "anything-ready": ("current", "ready"),
    "anything-reconciling": ("progressing", "reconciling: Working"),
    "anything-stalled": ("degraded", "stalled: BadSpec: no such thing"),
    "anything-unseen": ("progressing", "its controller has seen generation 1 of 2"),
    "anything-without-status": ("current", "exists"),
    "apiservice-available": ("current", "available"),
    "apiservice-unavailable": ("progressing", "unavailable: MissingEndpoints: no addresses"),
    "canary-failed": ("degraded", "Failed: Canary analysis failed, Deployment scaled to zero."),
    "canary-initialized": ("current", "Initialized"),
    "canary-new": ("progressing", "Flagger has not looked at it yet"),
    "canary-progressing": ("progressing", "Progressing, canary weight 20 %, 1 failed checks"),
    "canary-succeeded": ("current", "Succeeded"),
    "configmap-deleted": ("progressing", "is being deleted since 2026-08-01T00:00:00Z"),
    "configmap-there": ("current", "exists"),
    "customresourcedefinition-clash": ("degraded", "its names are not accepted: PluralConflict: already in use"),
    "customresourcedefinition-established": ("current", "established"),
    "customresourcedefinition-new": ("progressing", "not established yet"),
    "daemonset-ready": ("current", "2 of 2 nodes ready"),
    "daemonset-starting": ("progressing", "1 of 2 nodes ready"),
    "daemonset-updating": ("progressing", "1 of 2 nodes updated"),
    "deployment-new": ("progressing", "its controller has not looked at it yet"),
    "deployment-old-left": ("progressing", "3 of 3 replicas ready, 1 old ones still to go"),
    "deployment-over-quota": ("progressing", "1 of 3 replicas ready; pods are refused: FailedCreate: exceeded quota"),
    "deployment-paused": ("progressing", "1 of 3 replicas updated, and the rollout is paused"),
    "deployment-ready": ("current", "3 of 3 replicas ready"),
    "deployment-repaired": ("progressing", "its controller has seen generation 1 of 2"),
    "deployment-scaled-to-zero": ("current", "0 of 0 replicas ready"),
    "deployment-starting": ("progressing", "2 of 3 replicas ready, 2 available"),
    "deployment-stuck": (
        "degraded",
        "1 of 3 replicas ready; the progress deadline has passed: "
        'ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing',
    ),
    "deployment-unreadable": (
        "unknown",
        "its status cannot be read (ValueError: invalid literal for int() with base 10: 'many')",
    ),
    "deployment-unseen": ("progressing", "its controller has seen generation 1 of 2"),
    "deployment-updating": ("progressing", "1 of 3 replicas updated"),
    "horizontalpodautoscaler-scaling": ("current", "3 replicas within 2 to 5"),
    "horizontalpodautoscaler-without-metrics": (
        "current",
        "2 replicas within 2 to 5; does not scale: FailedGetResourceMetric: no metrics",
    ),
    "job-complete": ("current", "complete, 1 of 1 pods succeeded"),
    "job-failed": ("degraded", "failed after 3 pods: BackoffLimitExceeded: too often"),
    "job-running": ("progressing", "1 of 2 pods succeeded, 1 running"),
    "job-suspended": ("progressing", "suspended"),
    "mutatingwebhookconfiguration-trusted": ("current", "2 of 2 webhooks have a caBundle"),
    "mutatingwebhookconfiguration-untrusted": (
        "progressing",
        "1 of 2 webhooks have a caBundle; its server has not written that of a.example.com yet",
    ),
    "namespace-active": ("current", "active"),
    "namespace-terminating": (
        "progressing",
        "terminating: SomeFinalizersRemain: example.com/stuck in 1 resource instances",
    ),
    "persistentvolumeclaim-bound": ("current", "bound, 8Gi"),
    "persistentvolumeclaim-lost": ("degraded", "its volume is lost"),
    "persistentvolumeclaim-pending": ("progressing", "pending: no volume is bound yet"),
    "pod-crashing": ("degraded", "container main: CrashLoopBackOff: back-off 10s"),
    "pod-failed": ("degraded", "failed: Evicted"),
    "pod-finished": ("current", "finished"),
    "pod-proxy-starting": ("progressing", "1 of 2 containers ready"),
    "pod-proxy-without-image": ("degraded", "container istio-proxy: ImagePullBackOff"),
    "pod-ready": ("current", "2 of 2 containers ready"),
    "pod-unschedulable": ("progressing", "not scheduled: Unschedulable: 0/1 nodes are available"),
    "poddisruptionbudget-met": ("current", "3 healthy pods, 2 needed, 1 may be evicted"),
    "poddisruptionbudget-new": ("progressing", "its pods are not counted yet"),
    "replicaset-ready": ("current", "1 of 1 replicas ready"),
    "replicaset-too-many": ("progressing", "2 of 1 replicas ready, 1 too many"),
    "service-cluster": ("current", "address 10.0.0.1"),
    "service-headless": ("current", "headless"),
    "service-waiting-for-address": (
        "progressing",
        "has no external address yet: nothing has answered for its type LoadBalancer",
    ),
    "service-with-address": ("current", "reachable at 192.0.2.1, lb.example.com"),
    "statefulset-on-delete": ("current", "3 of 3 replicas ready"),
    "statefulset-partitioned": ("current", "3 of 3 replicas ready"),
    "statefulset-ready": ("current", "3 of 3 replicas ready"),
    "statefulset-starting": ("progressing", "1 of 3 replicas ready"),
    "statefulset-updating": ("progressing", "1 of 3 replicas updated"),
    "validatingwebhookconfiguration-url": ("current", "1 of 1 webhooks have a caBundle"),
    "virtualservice-accepted": ("current", "accepted"),
    "virtualservice-invalid": ("degraded", "istiod finds 1 errors: IST0101 ReferencedResourceNotFound"),
    "virtualservice-spreading": ("progressing", "not at all proxies yet: 3/4 proxies up to date"),
    "virtualservice-unseen": ("progressing", "its controller has seen generation 1 of 2"),
    "virtualservice-without-status": ("current", "exists"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_state_has_its_health_and_its_numbers(name: str) -> None:
    """The message is what a person reads while waiting, so it is part of the contract."""
    judged = judge.judge(yaml.safe_load((CASES / f"{name}.yaml").read_text()))
    assert (judged.status.value, judged.message) == EXPECTED[name]


def test_every_case_is_expected() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(EXPECTED)


def test_what_does_not_exist_is_missing() -> None:
    assert judge.judge(None) == Health(Status.MISSING, "does not exist")


@pytest.mark.parametrize("kind", sorted(Kinds.builtin()), ids=lambda kind: f"{kind.kind}.{kind.group}/{kind.version}")
def test_every_known_kind_is_judged_without_a_status(kind: object) -> None:
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}  # type: ignore[attr-defined]
    assert judge.judge(obj).status in (Status.CURRENT, Status.PROGRESSING)


def test_a_stage_is_done_only_when_every_object_is_current() -> None:
    one, other = Reference("", "ConfigMap", "a", "one"), Reference("apps", "Deployment", "a", "other")
    ready, starting = Health(Status.CURRENT, "ready"), Health(Status.PROGRESSING, "1 of 2 replicas ready")
    assert judge.summarize({one: ready, other: ready}).done
    summary = judge.summarize({one: ready, other: starting})
    assert not summary.done
    assert not summary.failed
    assert summary.waiting == ("Deployment/a/other: 1 of 2 replicas ready",)
    assert summary.counts["current"] == 1


def test_a_stage_with_a_broken_object_has_failed() -> None:
    one = Reference("", "Pod", "a", "one")
    summary = judge.summarize({one: Health(Status.DEGRADED, "container main: CrashLoopBackOff")})
    assert summary.failed
    assert summary.broken == ("Pod/a/one: container main: CrashLoopBackOff",)


def test_a_stage_without_objects_is_done() -> None:
    assert judge.summarize({}).done
