"""Which workloads have to be restarted to get their proxy, in which order, and which are left alone and why.

A restart is a new pod template (`patch`), so the workload's own strategy bounds how many pods are away at a time. What
the strategy does not know is the PodDisruptionBudget: it binds evictions, not rollouts. So a workload whose strategy
would break its budget is reported and not touched, and workloads that share a budget never stand in the same batch.
Gateways come last and one at a time, since everybody's traffic goes through them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from meshflow.mesh import injection
from meshflow.mesh.observation import State, names, state_of
from meshflow.objects.reference import Obj, Reference

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
TEMPLATES = "inject.istio.io/templates"
RESTARTABLE = ("Deployment", "StatefulSet", "DaemonSet")


class Finding(NamedTuple):
    """A workload with pods that lack the wanted proxy. `why` is for the first of them."""

    reference: Reference
    pods: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{self.reference}: {len(self.pods)} pods: {self.why}"


class Reported(NamedTuple):
    """A finding that is not acted on, and the reason and way out."""

    finding: Finding
    reason: str

    def __str__(self) -> str:
        return f"{self.finding}; not restarted: {self.reason}"


@dataclass(frozen=True)
class RestartPlan:
    """Batches in order: each is restarted at once, and the next begins when it is healthy."""

    batches: tuple[tuple[Finding, ...], ...] = ()
    reported: tuple[Reported, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "batches": [[_json(finding) for finding in batch] for batch in self.batches],
            "reported": [{**_json(item.finding), "reason": item.reason} for item in self.reported],
        }


@dataclass(frozen=True)
class Cluster:
    """What the plan is made from: plain objects, each list of its kind. `workloads` also holds ReplicaSets and Jobs."""

    namespaces: Sequence[Obj]
    pods: Sequence[Obj]
    workloads: Sequence[Obj]
    budgets: Sequence[Obj] = ()
    canaries: Sequence[Obj] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)  # tag → revision, see istiod.revisions


def plan(cluster: Cluster, *, version: str, size: int = 2) -> RestartPlan:
    """What to restart so that every pod that should has a proxy of `version`. `size` bounds a batch."""
    workloads = injection.by_reference(cluster.workloads)
    todo: list[tuple[Finding, frozenset[str]]] = []
    reported: list[Reported] = []
    for finding in findings(cluster, version=version):
        workload = workloads.get(finding.reference)
        budgets = [budget for budget in cluster.budgets if workload and _covers(budget, workload)]
        reason = _reason_to_leave(finding.reference, workload, budgets, cluster.canaries)
        if reason:
            reported.append(Reported(finding, reason))
        else:
            todo.append((finding, frozenset(str(Reference.of(budget)) for budget in budgets)))
    gateways = [item for item in todo if _is_gateway(workloads[item[0].reference])]
    others = [item for item in todo if item not in gateways]
    return RestartPlan((*_batches(others, size=size), *_batches(gateways, size=1)), tuple(reported))


def findings(cluster: Cluster, *, version: str) -> list[Finding]:
    """Workloads (and bare pods) with pods that lack the wanted proxy, in a fixed order."""
    namespaces = {item["metadata"]["name"]: item for item in cluster.namespaces}
    owners = injection.by_reference(cluster.workloads)
    found: dict[Reference, list[tuple[str, str]]] = {}
    for pod in cluster.pods:
        namespace = namespaces.get(pod["metadata"].get("namespace", ""))
        if namespace is None or not injection.alive(pod):
            continue
        want = injection.wanted(namespace, pod)
        why = injection.lacks(pod, want, version=version, revisions=cluster.revisions)
        if why:
            found.setdefault(injection.owner_of(pod, owners), []).append((pod["metadata"]["name"], why))
    return [
        Finding(reference, tuple(sorted(name for name, _ in pods)), min(pods)[1])
        for reference, pods in sorted(found.items(), key=lambda item: _order(item[0]))
    ]


def patch(at: str) -> Obj:
    """The merge patch that restarts a workload: what `kubectl rollout restart` writes. `at` is an ISO moment."""
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}


def _reason_to_leave(
    reference: Reference, workload: Obj | None, budgets: Sequence[Obj], canaries: Sequence[Obj]
) -> str | None:
    if reference.kind == "Pod":
        return "nobody would make it again; delete it and make it anew"
    if reference.kind in ("Job", "CronJob"):
        return "its next run gets the proxy; to restart a job is to run it twice"
    if reference.kind not in RESTARTABLE or workload is None:
        return f"it belongs to a {reference.kind}, whose restart is not known here; restart it by its own means"
    return (
        _held(workload)
        or _busy(reference, canaries)
        or next(filter(None, (_breaks(workload, b) for b in budgets)), None)
    )


def _held(workload: Obj) -> str | None:
    spec = workload["spec"]
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return "its strategy is OnDelete: it waits for somebody to delete its pods"
    if spec.get("paused"):
        return "it is paused; resume it"
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    return f"its partition {partition} keeps pods on the old template; set it to 0" if partition else None


def _busy(reference: Reference, canaries: Sequence[Obj]) -> str | None:
    """A new template in the middle of a rollout would start the analysis anew, and after a failed one a new one."""
    for canary in canaries:
        around = names(canary)
        same = canary["metadata"].get("namespace") == reference.namespace
        moving = state_of(canary) in (State.ANALYSING, State.PROMOTING, State.ASKING)
        if not same or reference.kind != "Deployment":
            continue
        if moving and reference.name in (around.target, around.primary):
            return f"Canary {canary['metadata']['name']} is {canary['status']['phase']}; run again when it has ended"
        if state_of(canary) is State.FAILED and reference.name == around.target:
            return f"Canary {canary['metadata']['name']} failed and left it running; roll it back first"
    return None


def _breaks(workload: Obj, budget: Obj) -> str | None:
    """Whether a rollout of the workload can take away more pods than the budget allows."""
    replicas = int(workload["spec"].get("replicas", (workload.get("status") or {}).get("desiredNumberScheduled", 1)))
    away, allowed = _most_away(workload, replicas), _allowed_away(budget, replicas)
    if away <= allowed:
        return None
    name = budget["metadata"]["name"]
    return (
        f"its strategy may take {away} of {replicas} pods away, PodDisruptionBudget {name} allows {allowed}; "
        "lower its maxUnavailable or widen the budget"
    )


def _most_away(workload: Obj, replicas: int) -> int:
    """How many pods a rolling update may have unavailable, by the workload's own strategy."""
    spec, is_set = workload["spec"], workload["kind"] != "Deployment"
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    if strategy.get("type") == "Recreate":
        return replicas
    rolling = strategy.get("rollingUpdate") or {}
    away = _count(rolling.get("maxUnavailable", 1 if is_set else "25%"), replicas, up=is_set)
    surge = _count(rolling.get("maxSurge", 0 if is_set else "25%"), replicas, up=True)
    return min(max(away, 0 if surge else 1), replicas)  # Kubernetes takes one away where both come to none


def _allowed_away(budget: Obj, replicas: int) -> int:
    spec = budget["spec"]
    if "maxUnavailable" in spec:
        return _count(spec["maxUnavailable"], replicas, up=True)
    return max(0, replicas - _count(spec.get("minAvailable", 0), replicas, up=True))


def _count(value: int | str, whole: int, *, up: bool) -> int:
    if not isinstance(value, str) or not value.endswith("%"):
        return int(value)
    share = int(value[:-1]) * whole / 100
    return math.ceil(share) if up else math.floor(share)


def _covers(budget: Obj, workload: Obj) -> bool:
    """Whether the budget selects the workload's pods. An empty selector selects all of the namespace."""
    if budget["metadata"].get("namespace") != workload["metadata"].get("namespace"):
        return False
    template = (workload.get("spec") or {}).get("template") or {}
    return selects(budget["spec"].get("selector") or {}, (template.get("metadata") or {}).get("labels") or {})


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (matchLabels and matchExpressions) selects these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_matches(item, labels) for item in selector.get("matchExpressions") or [])


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
    answers = {
        "In": labels.get(key) in values and key in labels,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return answers[operator]


def _is_gateway(workload: Obj) -> bool:
    metadata = workload["spec"]["template"].get("metadata") or {}
    return (metadata.get("annotations") or {}).get(TEMPLATES) == "gateway"


def _batches(items: Iterable[tuple[Finding, frozenset[str]]], *, size: int) -> tuple[tuple[Finding, ...], ...]:
    """Greedy and stable: each finding goes to the first batch with room and none of its budgets."""
    batches: list[tuple[list[Finding], set[str]]] = []
    for finding, budgets in items:
        for batch, taken in batches:
            if len(batch) < size and not budgets & taken:
                break
        else:
            batch, taken = [], set()
            batches.append((batch, taken))
        batch.append(finding)
        taken |= budgets
    return tuple(tuple(batch) for batch, _ in batches)


def _order(reference: Reference) -> tuple[str, str, str]:
    return (reference.namespace or "", reference.name, reference.kind)


def _json(finding: Finding) -> dict[str, Any]:
    return {
        "workload": str(finding.reference),
        "reference": list(finding.reference),
        "pods": list(finding.pods),
        "why": finding.why,
    }
