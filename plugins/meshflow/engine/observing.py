"""What the pure rules about the mesh look at, fetched in as few lists as there are kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from meshflow.clients.kube import Kube
from meshflow.errors import NotFound
from meshflow.mesh import istiod, restart
from meshflow.objects.reference import Obj, Reference

WORKLOADS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
)
CANARY = ("flagger.app/v1beta1", "Canary")
INJECTORS = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")
VALIDATORS = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")


async def items(
    kube: Kube, api_version: str, kind: str, *, namespace: str | None = None, labels: str | None = None
) -> list[Obj]:
    """All objects of a kind, read by pages; empty where the cluster does not serve the kind."""
    group, _, version = api_version.rpartition("/")
    try:
        found = await kube.kind_of(Reference(group, kind, namespace, ""), version=version)
        return (await kube.list(found, namespace=namespace, labels=labels)).items
    except NotFound:  # its definition is not installed, so there are none
        return []


async def everything(kube: Kube, kinds: Iterable[tuple[str, str]]) -> list[Obj]:
    """All objects of several kinds."""
    lists = await asyncio.gather(*(items(kube, *kind) for kind in kinds))
    return [obj for found in lists for obj in found]


async def workloads(kube: Kube, *, namespaces: Collection[str] | None = None) -> restart.Cluster:
    """What the injection rules need: namespaces, pods, their owners, budgets, canaries, revision tags.

    With `namespaces` given, of the namespaces and pods only those: what others put into the mesh is theirs.
    """
    spaces, pods, owners, budgets, canaries, injectors = await asyncio.gather(
        items(kube, "v1", "Namespace"),
        items(kube, "v1", "Pod"),
        everything(kube, WORKLOADS),
        items(kube, "policy/v1", "PodDisruptionBudget"),
        items(kube, *CANARY),
        items(kube, *INJECTORS),
    )
    return restart.Cluster(
        [item for item in spaces if namespaces is None or item["metadata"]["name"] in namespaces],
        [item for item in pods if namespaces is None or item["metadata"].get("namespace") in namespaces],
        owners,
        budgets,
        canaries,
        istiod.revisions(injectors),
    )


async def control_planes(kube: Kube, *, namespace: str = "istio-system") -> tuple[istiod.ControlPlane, ...]:
    """The istiod Deployments that are there."""
    return istiod.control_planes(await items(kube, "apps/v1", "Deployment", namespace=namespace, labels="app=istiod"))
