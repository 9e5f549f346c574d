"""A total order of objects: by what depends on what, then by kind, namespace and name.

The list is the order of writing; pruning goes the other way. Kinds that are not listed are custom resources: they come
after all workloads and before Canaries.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from meshflow.objects.reference import Reference

_RANKS: tuple[tuple[str, ...], ...] = (
    ("Namespace",),
    ("CustomResourceDefinition.apiextensions.k8s.io",),
    ("PriorityClass.scheduling.k8s.io", "StorageClass.storage.k8s.io", "CSIDriver.storage.k8s.io"),
    ("ResourceQuota", "LimitRange"),
    ("ServiceAccount",),
    ("Secret", "ConfigMap"),
    ("PersistentVolume",),
    ("PersistentVolumeClaim",),
    ("ClusterRole.rbac.authorization.k8s.io", "Role.rbac.authorization.k8s.io"),
    ("ClusterRoleBinding.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io"),
    ("NetworkPolicy.networking.k8s.io",),
    ("Service", "PodDisruptionBudget.policy"),
    # What decides how traffic is treated stands before the workloads that it is about.
    ("Sidecar.networking.istio.io", "ProxyConfig.networking.istio.io", "Telemetry.telemetry.istio.io"),
    ("ServiceEntry.networking.istio.io", "WorkloadEntry.networking.istio.io", "WorkloadGroup.networking.istio.io"),
    ("PeerAuthentication.security.istio.io", "RequestAuthentication.security.istio.io"),
    ("AuthorizationPolicy.security.istio.io",),
    ("DaemonSet.apps",),
    ("Deployment.apps", "StatefulSet.apps", "ReplicaSet.apps", "ReplicationController", "Pod"),
    ("HorizontalPodAutoscaler.autoscaling",),
    ("Job.batch", "CronJob.batch"),
    ("Ingress.networking.k8s.io", "IngressClass.networking.k8s.io"),
    # A DestinationRule defines the subsets that a VirtualService names: the other way round is 503s.
    ("Gateway.networking.istio.io", "DestinationRule.networking.istio.io", "Gateway.gateway.networking.k8s.io"),
    (
        "VirtualService.networking.istio.io",
        "HTTPRoute.gateway.networking.k8s.io",
        "GRPCRoute.gateway.networking.k8s.io",
    ),
    ("*",),
    ("MetricTemplate.flagger.app", "AlertProvider.flagger.app"),
    ("Canary.flagger.app",),
    ("APIService.apiregistration.k8s.io",),
    (
        "MutatingWebhookConfiguration.admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy.admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io",
    ),
)

_RANK_OF = {kind: rank for rank, kinds in enumerate(_RANKS) for kind in kinds}


def rank(reference: Reference) -> int:
    """The place of a kind in the list; objects of one rank do not depend on each other."""
    kind = f"{reference.kind}.{reference.group}" if reference.group else reference.kind
    return _RANK_OF.get(kind, _RANK_OF["*"])


def key(reference: Reference) -> tuple[int, str, str, str, str]:
    """Sorts references; no two different ones are equal."""
    return rank(reference), reference.kind, reference.group, reference.namespace or "", reference.name


def ordered(references: Iterable[Reference]) -> list[Reference]:
    """The references in the order of writing."""
    return sorted(references, key=key)


def ranks(references: Iterable[Reference]) -> list[list[Reference]]:
    """The references in the order of writing, grouped: those of one group may be written at the same time."""
    return [list(group) for _, group in groupby(ordered(references), key=rank)]
