"""Why a workload is not ready: what its pods say, in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshflow.clients.kube import Kube
from meshflow.errors import MeshflowError
from meshflow.health import judge
from meshflow.health.model import Health, Status
from meshflow.objects.kinds import Kind
from meshflow.objects.reference import Obj, Reference

_PODS = Kind("", "v1", "Pod", "pods", True)
_WORKLOADS = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"))


async def explain(kube: Kube, references: Sequence[Reference], *, limit: int = 5) -> dict[Reference, str]:
    """What the pods of the workloads among `references` complain about; those without complaints are left out.

    Looks at the first `limit` workloads only. For the end of a wait in vain: it never raises a MeshflowError, since the
    reason of the failure must not be lost to a failing explanation.
    """
    told = {}
    for reference in [one for one in references if one.group == "apps" and one.kind in _WORKLOADS][:limit]:
        try:
            complaint = await _of_workload(kube, reference)
        except MeshflowError:
            continue
        if complaint:
            told[reference] = complaint
    return told


async def _of_workload(kube: Kube, reference: Reference) -> str:
    workload = await kube.get(reference)
    labels = ((workload or {}).get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    if not labels:
        return ""
    pods = await kube.list(_PODS, namespace=reference.namespace, labels=_selector(labels))
    judged = [(pod, judge.judge(pod)) for pod in pods.items if not pod["metadata"].get("deletionTimestamp")]
    return _worst(judged)


def _worst(judged: Sequence[tuple[Obj, Health]]) -> str:
    """`pod web-1: container main: ImagePullBackOff (and 2 more pods)`; the broken ones before those under way."""
    bad = [(pod, health) for pod, health in judged if health.status is not Status.CURRENT]
    if not bad:
        return ""
    pod, health = min(bad, key=lambda pair: (pair[1].status is not Status.DEGRADED, pair[0]["metadata"]["name"]))
    others = f" (and {len(bad) - 1} more pods)" if len(bad) > 1 else ""
    return f"pod {pod['metadata']['name']}: {health.message}{others}"


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
