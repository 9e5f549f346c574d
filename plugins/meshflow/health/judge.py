"""From a live object to its health: a table from kinds to one small function each.

The rules are those of kstatus where it has one, with the differences that a waiting pipeline needs (jobs, scaling).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from meshflow.health import (
    canaries,
    conditions,
    definitions,
    jobs,
    mesh,
    namespaces,
    pods,
    scaling,
    services,
    storage,
    webhooks,
    workloads,
)
from meshflow.health.model import Health, Status
from meshflow.objects import order
from meshflow.objects.reference import Obj, Reference, group_of

Judgement = Callable[[Obj], Health]

_BY_KIND: dict[tuple[str, str], Judgement] = {
    ("", "Namespace"): namespaces.namespace,
    ("", "PersistentVolume"): storage.volume,
    ("", "PersistentVolumeClaim"): storage.claim,
    ("", "Pod"): pods.pod,
    ("", "Service"): services.service,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): webhooks.configuration,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): webhooks.configuration,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.definition,
    ("apiregistration.k8s.io", "APIService"): definitions.api_service,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): scaling.autoscaler,
    ("batch", "Job"): jobs.job,
    ("flagger.app", "Canary"): canaries.canary,
    ("policy", "PodDisruptionBudget"): scaling.disruption_budget,
}

_BY_GROUP: dict[str, Judgement] = {
    "extensions.istio.io": mesh.configuration,
    "networking.istio.io": mesh.configuration,
    "security.istio.io": mesh.configuration,
    "telemetry.istio.io": mesh.configuration,
}

_FINISHES_WHILE_DELETED = frozenset((("", "Namespace"),))
"""Kinds whose own rule says more about a deletion than the general one."""


class Summary(NamedTuple):
    """All objects together: `done` when each is current, `failed` when one is degraded; lines name the others."""

    done: bool
    failed: bool
    waiting: tuple[str, ...]  # `Kind/namespace/name: message` of what is not current yet
    broken: tuple[str, ...]  # the same of what is degraded
    counts: dict[str, int]


def judge(obj: Obj | None) -> Health:
    """The health of one live object; None is `missing`. Never fetches, never raises on a half-filled status."""
    if obj is None:
        return Health(Status.MISSING, "does not exist")
    group, kind = group_of(obj.get("apiVersion", "")), obj.get("kind", "")
    deleted = obj.get("metadata", {}).get("deletionTimestamp")
    if deleted and (group, kind) not in _FINISHES_WHILE_DELETED:
        return conditions.progressing(f"is being deleted since {deleted}")
    rule = _BY_KIND.get((group, kind)) or _BY_GROUP.get(group, conditions.generic)
    try:
        return rule(obj)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Health(Status.UNKNOWN, f"its status cannot be read ({type(error).__name__}: {error})")


def summarize(healths: Mapping[Reference, Health]) -> Summary:
    """The objects of a stage taken together, lines in the order of writing. Nothing at all is done."""
    ordered = [(reference, healths[reference]) for reference in order.ordered(healths)]
    counted = Counter(health.status for health in healths.values())
    broken = [f"{reference}: {health.message}" for reference, health in ordered if health.status is Status.DEGRADED]
    waiting = [
        f"{reference}: {health.message}"
        for reference, health in ordered
        if health.status not in (Status.CURRENT, Status.DEGRADED)
    ]
    return Summary(
        done=not broken and not waiting,
        failed=bool(broken),
        waiting=tuple(waiting),
        broken=tuple(broken),
        counts={status.value: counted[status] for status in Status},
    )
