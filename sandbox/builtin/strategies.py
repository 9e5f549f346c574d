"""Which kind has which strategy."""

from __future__ import annotations

from sandbox.builtin import cluster, pods, services, workloads
from sandbox.builtin.strategy import SPEC, STATUS, Context, Obj, Path, Strategy

PLAIN = Strategy()

TABLE: dict[tuple[str, str], Strategy] = {
    ("", "ConfigMap"): cluster.Payload("data", "binaryData"),
    ("", "Event"): cluster.Event(),
    ("", "Namespace"): cluster.Namespace(),
    ("", "Node"): cluster.Node(),
    ("", "PersistentVolume"): cluster.Claim(),
    ("", "PersistentVolumeClaim"): cluster.Claim(),
    ("", "Pod"): pods.Pod(),
    ("", "PodTemplate"): cluster.Counted(),
    ("", "Secret"): cluster.Payload("data"),
    ("", "Service"): services.Service(),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): cluster.WebhookConfiguration(),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): cluster.WebhookConfiguration(),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.Definition(),
    ("apps", "DaemonSet"): workloads.DaemonSet(),
    ("apps", "Deployment"): workloads.Deployment(),
    ("apps", "ReplicaSet"): workloads.ReplicaSet(),
    ("apps", "StatefulSet"): workloads.StatefulSet(),
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.Autoscaler(),
    ("batch", "CronJob"): workloads.CronJob(),
    ("batch", "Job"): workloads.Job(),
    ("coordination.k8s.io", "Lease"): cluster.Lease(),
    ("discovery.k8s.io", "EndpointSlice"): cluster.EndpointSlice(),
    ("events.k8s.io", "Event"): cluster.Event(),
    ("networking.k8s.io", "Ingress"): cluster.CountedWithStatus(),
    ("networking.k8s.io", "IngressClass"): cluster.Counted(),
    ("networking.k8s.io", "NetworkPolicy"): cluster.Counted(),
    ("policy", "PodDisruptionBudget"): workloads.DisruptionBudget(),
    ("rbac.authorization.k8s.io", "ClusterRole"): cluster.Role(),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): cluster.RoleBinding(),
    ("rbac.authorization.k8s.io", "Role"): cluster.Role(),
    ("rbac.authorization.k8s.io", "RoleBinding"): cluster.RoleBinding(),
}


class Custom(Strategy):
    """A custom resource: everything but metadata and status is counted; `/status` writes status and nothing else."""

    put_overwrites = False

    def __init__(self, *, has_status: bool) -> None:
        self.has_status = has_status

    def foreign(self, subresource: str | None) -> tuple[Path, ...]:
        if subresource is None:
            return (STATUS,) if self.has_status else ()
        return (SPEC, ("metadata",)) if subresource == "status" else (STATUS,)

    def prepare_create(self, obj: Obj, context: Context) -> None:
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1

    def prepare_update(self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None) -> None:
        if subresource == "status":
            self._take_status_alone(obj, old)
        elif self.has_status:
            obj.pop("status", None)
            if "status" in old:
                obj["status"] = old["status"]
        generation = old["metadata"].get("generation", 0)
        obj["metadata"]["generation"] = generation + (self._content(obj) != self._content(old))

    def _take_status_alone(self, obj: Obj, old: Obj) -> None:
        status, managed = obj.get("status"), obj["metadata"].get("managedFields")
        obj.clear()
        obj.update({key: value for key, value in old.items() if key not in ("status", "metadata")})
        obj["metadata"] = dict(old["metadata"])
        if managed is not None:
            obj["metadata"]["managedFields"] = managed
        if status is not None:
            obj["status"] = status

    def _content(self, obj: Obj) -> Obj:
        aside = {"metadata", "status"} if self.has_status else {"metadata"}
        return {key: value for key, value in obj.items() if key not in aside}


def of(group: str, kind: str) -> Strategy:
    """The strategy of a built-in kind; the plain one where the kind has no rules of its own."""
    return TABLE.get((group, kind), PLAIN)


def custom(*, has_status: bool) -> Strategy:
    """The strategy of a custom resource."""
    return Custom(has_status=has_status)
