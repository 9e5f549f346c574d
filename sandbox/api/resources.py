"""The resource table: which kinds are served under which paths, and how.

`Resource` is one row: a kind of one version, as discovery shows it. `BUILTIN` are the rows of the built-in groups;
custom resources add rows at run time (`catalog.Catalog`). Objects of all versions of a resource are stored once, in
the storage version, under `Resource.storage` = (group, plural).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FULL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE = ("create",)
READ_WRITE = ("get", "patch", "update")


class Subresource(NamedTuple):
    """One subresource: its verbs and, where they differ from the parent's, the kind it speaks."""

    name: str
    verbs: tuple[str, ...] = READ_WRITE
    kind: str | None = None
    group: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One kind of one served version.

    `schema` names the definition of a built-in kind (io.k8s.api.apps.v1.Deployment) and is empty for custom resources,
    whose OpenAPI schema is `custom_schema`. `definition` is the spec of the CustomResourceDefinition, or None.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = FULL
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    singular: str = ""
    list_kind: str = ""
    schema: str = ""
    storage_version: str = ""
    storage_group: str | None = None
    custom_schema: dict[str, Any] | None = None
    definition: dict[str, Any] | None = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage(self) -> tuple[str, str]:
        """The key of this resource in the store; all versions share it."""
        return (self.group if self.storage_group is None else self.storage_group, self.plural)

    @property
    def storage_api_version(self) -> str:
        version, group = self.storage_version or self.version, self.storage[0]
        return f"{group}/{version}" if group else version

    @property
    def custom(self) -> bool:
        return self.definition is not None

    @property
    def singular_name(self) -> str:
        return self.singular or self.kind.lower()

    @property
    def list_name(self) -> str:
        return self.list_kind or f"{self.kind}List"


STATUS = Subresource("status")
SCALE = Subresource("scale", kind="Scale", group="autoscaling", version="v1")

_DEFINITION_PACKAGES = {
    "": "io.k8s.api.core",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}


def definition_name(group: str, version: str, kind: str) -> str:
    """Return the name of the OpenAPI definition of a built-in kind."""
    package = _DEFINITION_PACKAGES.get(group) or f"io.k8s.api.{group.split('.')[0]}"
    return f"{package}.{version}.{kind}"


def _row(
    group_version: str,
    kind: str,
    plural: str,
    *,
    cluster: bool = False,
    short: str = "",
    subs: Iterable[Subresource] = (),
    categories: str = "",
    verbs: tuple[str, ...] = FULL,
    storage_group: str | None = None,
    storage_version: str = "",
) -> Resource:
    group, _, version = group_version.rpartition("/")
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        namespaced=not cluster,
        short_names=tuple(short.split()),
        categories=tuple(categories.split()),
        verbs=verbs,
        subresources={sub.name: sub for sub in subs},
        schema=definition_name(group, version, kind),
        storage_group=storage_group,
        storage_version=storage_version,
    )


_NO_COLLECTION = tuple(verb for verb in FULL if verb != "deletecollection")
_POD_SUBRESOURCES = (
    STATUS,
    Subresource("log", ("get",)),
    Subresource("exec", ("create", "get"), "PodExecOptions"),
    Subresource("attach", ("create", "get"), "PodAttachOptions"),
    Subresource("portforward", ("create", "get"), "PodPortForwardOptions"),
    Subresource("binding", CREATE, "Binding"),
    Subresource("eviction", CREATE, "Eviction", "policy", "v1"),
)
_TOKEN = Subresource("token", CREATE, "TokenRequest", "authentication.k8s.io", "v1")
_PROXY = Subresource("proxy", ("create", "delete", "get", "patch", "update"), "ServiceProxyOptions")
_HOOKS = "api-extensions"
_HPA = ("HorizontalPodAutoscaler", "horizontalpodautoscalers")
_ADMISSION = "admissionregistration.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_REVIEWS = "authorization.k8s.io/v1"

BUILTIN: tuple[Resource, ...] = (
    _row("v1", "ConfigMap", "configmaps", short="cm"),
    _row("v1", "Endpoints", "endpoints", short="ep"),
    _row("v1", "Event", "events", short="ev"),
    _row("v1", "LimitRange", "limitranges", short="limits"),
    _row(
        "v1",
        "Namespace",
        "namespaces",
        cluster=True,
        short="ns",
        verbs=_NO_COLLECTION,
        subs=(STATUS, Subresource("finalize", ("update",))),
    ),
    _row("v1", "Node", "nodes", cluster=True, short="no", subs=(STATUS,)),
    _row("v1", "PersistentVolumeClaim", "persistentvolumeclaims", short="pvc", subs=(STATUS,)),
    _row("v1", "PersistentVolume", "persistentvolumes", cluster=True, short="pv", subs=(STATUS,)),
    _row("v1", "Pod", "pods", short="po", categories="all", subs=_POD_SUBRESOURCES),
    _row("v1", "PodTemplate", "podtemplates"),
    _row("v1", "ReplicationController", "replicationcontrollers", short="rc", categories="all", subs=(STATUS, SCALE)),
    _row("v1", "ResourceQuota", "resourcequotas", short="quota", subs=(STATUS,)),
    _row("v1", "Secret", "secrets"),
    _row("v1", "ServiceAccount", "serviceaccounts", short="sa", subs=(_TOKEN,)),
    _row("v1", "Service", "services", short="svc", categories="all", subs=(STATUS, _PROXY)),
    _row("apps/v1", "ControllerRevision", "controllerrevisions"),
    _row("apps/v1", "DaemonSet", "daemonsets", short="ds", categories="all", subs=(STATUS,)),
    _row("apps/v1", "Deployment", "deployments", short="deploy", categories="all", subs=(STATUS, SCALE)),
    _row("apps/v1", "ReplicaSet", "replicasets", short="rs", categories="all", subs=(STATUS, SCALE)),
    _row("apps/v1", "StatefulSet", "statefulsets", short="sts", categories="all", subs=(STATUS, SCALE)),
    _row("batch/v1", "CronJob", "cronjobs", short="cj", categories="all", subs=(STATUS,)),
    _row("batch/v1", "Job", "jobs", categories="all", subs=(STATUS,)),
    _row("autoscaling/v2", *_HPA, short="hpa", categories="all", subs=(STATUS,)),
    _row("autoscaling/v1", *_HPA, short="hpa", categories="all", subs=(STATUS,), storage_version="v2"),
    _row("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", short="pdb", subs=(STATUS,)),
    _row("networking.k8s.io/v1", "Ingress", "ingresses", short="ing", subs=(STATUS,)),
    _row("networking.k8s.io/v1", "IngressClass", "ingressclasses", cluster=True),
    _row("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", short="netpol"),
    _row("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    _row("coordination.k8s.io/v1", "Lease", "leases"),
    _row("events.k8s.io/v1", "Event", "events", short="ev", storage_group=""),
    _row(_RBAC, "ClusterRole", "clusterroles", cluster=True),
    _row(_RBAC, "ClusterRoleBinding", "clusterrolebindings", cluster=True),
    _row(_RBAC, "Role", "roles"),
    _row(_RBAC, "RoleBinding", "rolebindings"),
    _row("storage.k8s.io/v1", "StorageClass", "storageclasses", cluster=True, short="sc"),
    _row("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", cluster=True, short="pc"),
    _row("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", cluster=True),
    _row(
        _ADMISSION,
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        cluster=True,
        categories=_HOOKS,
    ),
    _row(
        _ADMISSION,
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        cluster=True,
        categories=_HOOKS,
    ),
    _row(
        _ADMISSION,
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        cluster=True,
        categories=_HOOKS,
        subs=(STATUS,),
    ),
    _row(
        _ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        cluster=True,
        categories=_HOOKS,
    ),
    _row(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        cluster=True,
        short="crd crds",
        categories=_HOOKS,
        subs=(STATUS,),
    ),
    _row(
        "apiregistration.k8s.io/v1",
        "APIService",
        "apiservices",
        cluster=True,
        categories=_HOOKS,
        subs=(STATUS,),
    ),
    _row(_REVIEWS, "SelfSubjectAccessReview", "selfsubjectaccessreviews", cluster=True, verbs=CREATE),
    _row(_REVIEWS, "SelfSubjectRulesReview", "selfsubjectrulesreviews", cluster=True, verbs=CREATE),
    _row(_REVIEWS, "SubjectAccessReview", "subjectaccessreviews", cluster=True, verbs=CREATE),
    _row(_REVIEWS, "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=CREATE),
    _row("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", cluster=True, verbs=CREATE),
    _row("authentication.k8s.io/v1", "TokenReview", "tokenreviews", cluster=True, verbs=CREATE),
)
