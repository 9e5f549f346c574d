"""Kinds are looked up, never guessed.

A table names every kind that the phases use, Istio's and Flagger's included; custom resource definitions and a
cluster's discovery teach more. Deriving a plural from a kind goes wrong on exactly the kinds of a service mesh
(`serviceentries`, `authorizationpolicies`, `canaries`), so nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from meshflow.errors import InvalidInput
from meshflow.objects.reference import Obj, Reference


class Kind(NamedTuple):
    """One kind in one version, with what a URL needs."""

    group: str  # "" for the core group
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, as kubectl and access rules say it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of one object, or of the collection where `name` is None (of all namespaces without one)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            root += f"/namespaces/{quote(namespace, safe='')}"
        return f"{root}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")

    def reference(self, namespace: str | None, name: str) -> Reference:
        """The reference of one object of this kind; the namespace of a cluster-scoped kind is dropped."""
        return Reference(self.group, self.kind, namespace if self.namespaced else None, name)


class Kinds:
    """The kinds that are known. The first version learned of a kind is its preferred one."""

    def __init__(self, known: Iterable[Kind] = ()) -> None:
        self._versions: dict[tuple[str, str], dict[str, Kind]] = {}
        for kind in known:
            self.add(kind)

    @classmethod
    def builtin(cls) -> Kinds:
        """A fresh copy of the table: it may be taught more without harm to others."""
        return cls(_table())

    def __iter__(self) -> Iterator[Kind]:
        return (kind for versions in self._versions.values() for kind in versions.values())

    def add(self, kind: Kind) -> None:
        """Learn one kind; what was said of the same version before is replaced."""
        self._versions.setdefault((kind.group, kind.kind), {})[kind.version] = kind

    def learn(self, definition: Obj) -> None:
        """Learn the served versions of a CustomResourceDefinition, its storage version as the preferred one."""
        spec = definition["spec"]
        names, namespaced = spec["names"], spec.get("scope") == "Namespaced"
        served = [version for version in spec["versions"] if version.get("served", True)]
        self._versions.pop((spec["group"], names["kind"]), None)
        for version in sorted(served, key=lambda version: not version.get("storage", False)):
            self.add(Kind(spec["group"], version["name"], names["kind"], names["plural"], namespaced))

    def find(self, group: str, kind: str, *, version: str | None = None) -> Kind | None:
        """The kind in that version, or in the preferred one; None when it is not known."""
        versions = self._versions.get((group, kind), {})
        return versions.get(version) if version else next(iter(versions.values()), None)

    def of(self, api_version: str, kind: str) -> Kind:
        """The kind that an object names. InvalidInput, naming it, when the table does not have it."""
        group, _, version = api_version.rpartition("/")
        found = self.find(group, kind, version=version)
        if found is None:
            known = ", ".join(self._versions.get((group, kind), {}))
            raise InvalidInput(
                f"the kind {kind} of {api_version} is not known" + (f"; known versions: {known}" if known else ""),
                where="kinds",
                way_out="Correct apiVersion and kind, or add the CustomResourceDefinition to the same set",
            )
        return found


def builtin_group(group: str) -> bool:
    """Whether Kubernetes itself serves a group, the same versions in every cluster; else definitions decide."""
    return "." not in group or (group.endswith(".k8s.io") and not group.startswith(("gateway.", "snapshot.")))


_NAMESPACED, _CLUSTER = True, False

_ROWS: tuple[tuple[str, str, bool, dict[str, str]], ...] = (
    (
        "",
        "v1",
        _NAMESPACED,
        {
            "ConfigMap": "configmaps",
            "Endpoints": "endpoints",
            "Event": "events",
            "LimitRange": "limitranges",
            "PersistentVolumeClaim": "persistentvolumeclaims",
            "Pod": "pods",
            "ReplicationController": "replicationcontrollers",
            "ResourceQuota": "resourcequotas",
            "Secret": "secrets",
            "Service": "services",
            "ServiceAccount": "serviceaccounts",
        },
    ),
    ("", "v1", _CLUSTER, {"Namespace": "namespaces", "Node": "nodes", "PersistentVolume": "persistentvolumes"}),
    (
        "apps",
        "v1",
        _NAMESPACED,
        {
            "ControllerRevision": "controllerrevisions",
            "DaemonSet": "daemonsets",
            "Deployment": "deployments",
            "ReplicaSet": "replicasets",
            "StatefulSet": "statefulsets",
        },
    ),
    ("batch", "v1", _NAMESPACED, {"CronJob": "cronjobs", "Job": "jobs"}),
    ("autoscaling", "v2 v1", _NAMESPACED, {"HorizontalPodAutoscaler": "horizontalpodautoscalers"}),
    ("policy", "v1", _NAMESPACED, {"PodDisruptionBudget": "poddisruptionbudgets"}),
    ("networking.k8s.io", "v1", _NAMESPACED, {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}),
    ("networking.k8s.io", "v1", _CLUSTER, {"IngressClass": "ingressclasses"}),
    ("discovery.k8s.io", "v1", _NAMESPACED, {"EndpointSlice": "endpointslices"}),
    ("coordination.k8s.io", "v1", _NAMESPACED, {"Lease": "leases"}),
    ("events.k8s.io", "v1", _NAMESPACED, {"Event": "events"}),
    ("rbac.authorization.k8s.io", "v1", _NAMESPACED, {"Role": "roles", "RoleBinding": "rolebindings"}),
    (
        "rbac.authorization.k8s.io",
        "v1",
        _CLUSTER,
        {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"},
    ),
    ("apiextensions.k8s.io", "v1", _CLUSTER, {"CustomResourceDefinition": "customresourcedefinitions"}),
    ("apiregistration.k8s.io", "v1", _CLUSTER, {"APIService": "apiservices"}),
    (
        "admissionregistration.k8s.io",
        "v1",
        _CLUSTER,
        {
            "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
            "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
            "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
            "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
        },
    ),
    ("scheduling.k8s.io", "v1", _CLUSTER, {"PriorityClass": "priorityclasses"}),
    ("storage.k8s.io", "v1", _CLUSTER, {"StorageClass": "storageclasses", "CSIDriver": "csidrivers"}),
    (
        "gateway.networking.k8s.io",
        "v1 v1beta1",
        _NAMESPACED,
        {"Gateway": "gateways", "GRPCRoute": "grpcroutes", "HTTPRoute": "httproutes"},
    ),
    ("gateway.networking.k8s.io", "v1 v1beta1", _CLUSTER, {"GatewayClass": "gatewayclasses"}),
    ("k8s.cni.cncf.io", "v1", _NAMESPACED, {"NetworkAttachmentDefinition": "network-attachment-definitions"}),
    (
        "networking.istio.io",
        "v1 v1beta1 v1alpha3",
        _NAMESPACED,
        {
            "DestinationRule": "destinationrules",
            "Gateway": "gateways",
            "ServiceEntry": "serviceentries",
            "Sidecar": "sidecars",
            "VirtualService": "virtualservices",
            "WorkloadEntry": "workloadentries",
            "WorkloadGroup": "workloadgroups",
        },
    ),
    ("networking.istio.io", "v1alpha3", _NAMESPACED, {"EnvoyFilter": "envoyfilters"}),
    ("networking.istio.io", "v1beta1", _NAMESPACED, {"ProxyConfig": "proxyconfigs"}),
    (
        "security.istio.io",
        "v1 v1beta1",
        _NAMESPACED,
        {
            "AuthorizationPolicy": "authorizationpolicies",
            "PeerAuthentication": "peerauthentications",
            "RequestAuthentication": "requestauthentications",
        },
    ),
    ("telemetry.istio.io", "v1 v1alpha1", _NAMESPACED, {"Telemetry": "telemetries"}),
    (
        "extensions.istio.io",
        "v1alpha1",
        _NAMESPACED,
        {"WasmPlugin": "wasmplugins", "TrafficExtension": "trafficextensions"},
    ),
    (
        "flagger.app",
        "v1beta1",
        _NAMESPACED,
        {"AlertProvider": "alertproviders", "Canary": "canaries", "MetricTemplate": "metrictemplates"},
    ),
    (
        "monitoring.coreos.com",
        "v1",
        _NAMESPACED,
        {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules", "ServiceMonitor": "servicemonitors"},
    ),
    ("kiali.io", "v1alpha1", _NAMESPACED, {"Kiali": "kialis"}),
)


def _table() -> Iterator[Kind]:
    for group, versions, namespaced, kinds in _ROWS:
        for kind, plural in kinds.items():
            for version in versions.split():
                yield Kind(group, version, kind, plural, namespaced)
