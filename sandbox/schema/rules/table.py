"""Which built-in kind has which rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sandbox.schema.errors import FieldError
from sandbox.schema.node import Obj
from sandbox.schema.rules import cluster, config, definitions, pods, workloads

Rule = Callable[[Obj, Obj | None], Iterator[FieldError]]
RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"

RULES: dict[tuple[str, str], Rule] = {
    ("", "Pod"): pods.pod,
    ("", "ConfigMap"): config.config_map,
    ("", "Secret"): config.secret,
    ("", "PersistentVolumeClaim"): config.volume_claim,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.autoscaler,
    ("policy", "PodDisruptionBudget"): workloads.disruption_budget,
    (RBAC, "Role"): cluster.role,
    (RBAC, "ClusterRole"): cluster.role,
    (RBAC, "RoleBinding"): cluster.role_binding,
    (RBAC, "ClusterRoleBinding"): cluster.role_binding,
    (ADMISSION, "MutatingWebhookConfiguration"): cluster.webhooks,
    (ADMISSION, "ValidatingWebhookConfiguration"): cluster.webhooks,
    ("storage.k8s.io", "StorageClass"): cluster.storage_class,
    ("scheduling.k8s.io", "PriorityClass"): cluster.priority_class,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.definition,
}
