"""Which built-in kind has which rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sandbox.schema.errors import FieldError
from sandbox.schema.node import Obj
from sandbox.schema.rules import autoscaling, cluster, config, definitions, jobs, networking, pods, webhooks, workloads

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
    ("batch", "Job"): jobs.job,
    ("batch", "CronJob"): jobs.cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaling.autoscaler,
    ("networking.k8s.io", "NetworkPolicy"): networking.network_policy,
    ("policy", "PodDisruptionBudget"): jobs.disruption_budget,
    (RBAC, "Role"): cluster.role,
    (RBAC, "ClusterRole"): cluster.role,
    (RBAC, "RoleBinding"): cluster.role_binding,
    (RBAC, "ClusterRoleBinding"): cluster.role_binding,
    (ADMISSION, "MutatingWebhookConfiguration"): webhooks.configuration,
    (ADMISSION, "ValidatingWebhookConfiguration"): webhooks.configuration,
    ("storage.k8s.io", "StorageClass"): cluster.storage_class,
    ("scheduling.k8s.io", "PriorityClass"): cluster.priority_class,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.definition,
}
