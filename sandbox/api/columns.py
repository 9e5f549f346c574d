"""Which columns a built-in kind has."""

from __future__ import annotations

from typing import Any

from sandbox.api import cells, pod_columns
from sandbox.api.tables import AGE, DEFAULT, NAME, NONE, Column

Obj = dict[str, Any]


def number(name: str, *path: str) -> Column:
    return Column(name, cells.value(*path, default=0), "integer")


def text(name: str, *path: str, priority: int = 0) -> Column:
    return Column(name, cells.value(*path), priority=priority)


CONTAINERS = Column("Containers", lambda obj, now: ",".join(c["name"] for c in cells.containers(obj)), priority=1)
IMAGES = Column("Images", lambda obj, now: ",".join(c["image"] for c in cells.containers(obj)), priority=1)
SELECTOR = Column("Selector", lambda obj, now: cells.selector_text(obj["spec"].get("selector")), priority=1)
WORKLOAD = (CONTAINERS, IMAGES, SELECTOR)


_wanted = cells.value("spec", "replicas", default=0)
_ready = cells.value("status", "readyReplicas", default=0)
_BINDING = (
    NAME,
    Column("Role", cells.role),
    AGE,
    *(Column(f"{kind}s", cells.subjects(kind), priority=1) for kind in ("User", "Group", "ServiceAccount")),
)
_WEBHOOKS = (NAME, Column("Webhooks", cells.count("webhooks"), "integer"), AGE)

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "Pod"): pod_columns.COLUMNS,
    ("", "ConfigMap"): (NAME, Column("Data", cells.count("data", "binaryData"), "integer"), AGE),
    ("", "Secret"): (NAME, text("Type", "type"), Column("Data", cells.count("data"), "integer"), AGE),
    ("", "ServiceAccount"): (NAME, Column("Secrets", cells.count("secrets"), "integer"), AGE),
    ("", "Namespace"): (NAME, text("Status", "status", "phase"), AGE),
    ("", "Service"): (
        NAME,
        text("Type", "spec", "type"),
        text("Cluster-IP", "spec", "clusterIP"),
        Column("External-IP", cells.external_ip),
        Column("Port(s)", cells.service_ports),
        AGE,
        Column("Selector", lambda obj, now: cells.pairs(obj["spec"].get("selector")), priority=1),
    ),
    ("", "Endpoints"): (NAME, Column("Endpoints", cells.endpoints), AGE),
    ("", "Node"): (
        NAME,
        Column("Status", cells.node_status),
        Column("Roles", cells.node_roles),
        AGE,
        text("Version", "status", "nodeInfo", "kubeletVersion"),
        Column("Internal-IP", cells.node_address("InternalIP"), priority=1),
        Column("External-IP", cells.node_address("ExternalIP"), priority=1),
        text("OS-Image", "status", "nodeInfo", "osImage", priority=1),
        text("Kernel-Version", "status", "nodeInfo", "kernelVersion", priority=1),
        text("Container-Runtime", "status", "nodeInfo", "containerRuntimeVersion", priority=1),
    ),
    ("", "PersistentVolumeClaim"): (
        NAME,
        text("Status", "status", "phase"),
        Column("Volume", cells.value("spec", "volumeName", default="")),
        Column("Capacity", cells.value("status", "capacity", "storage", default="")),
        Column("Access Modes", cells.access_modes),
        Column("StorageClass", cells.value("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", cells.value("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        text("VolumeMode", "spec", "volumeMode", priority=1),
    ),
    ("", "Event"): (
        Column("Last Seen", cells.last_seen),
        text("Type", "type"),
        text("Reason", "reason"),
        Column("Object", cells.event_object),
        Column("Subobject", cells.value("involvedObject", "fieldPath", default=""), priority=1),
        Column("Source", cells.event_source, priority=1),
        Column("Message", lambda e, now: (e.get("message") or e.get("note") or "").strip()),
        Column("First Seen", cells.first_seen, priority=1),
        Column("Count", lambda e, now: e.get("count") or e.get("deprecatedCount") or 1, "integer", 1),
        Column("Name", NAME.cell, priority=1, format="name"),
    ),
    ("apps", "Deployment"): (
        NAME,
        Column("Ready", cells.ratio(_ready, _wanted)),
        number("Up-to-date", "status", "updatedReplicas"),
        number("Available", "status", "availableReplicas"),
        AGE,
        *WORKLOAD,
    ),
    ("apps", "ReplicaSet"): (
        NAME,
        number("Desired", "spec", "replicas"),
        number("Current", "status", "replicas"),
        number("Ready", "status", "readyReplicas"),
        AGE,
        *WORKLOAD,
    ),
    ("apps", "StatefulSet"): (NAME, Column("Ready", cells.ratio(_ready, _wanted)), AGE, CONTAINERS, IMAGES),
    ("apps", "DaemonSet"): (
        NAME,
        number("Desired", "status", "desiredNumberScheduled"),
        number("Current", "status", "currentNumberScheduled"),
        number("Ready", "status", "numberReady"),
        number("Up-to-date", "status", "updatedNumberScheduled"),
        number("Available", "status", "numberAvailable"),
        Column("Node Selector", lambda o, now: cells.pairs(o["spec"]["template"]["spec"].get("nodeSelector"))),
        AGE,
        *WORKLOAD,
    ),
    ("apps", "ControllerRevision"): (
        NAME,
        Column("Controller", cells.controller),
        number("Revision", "revision"),
        AGE,
    ),
    ("batch", "Job"): (
        NAME,
        Column("Status", cells.job_status),
        Column("Completions", cells.job_completions),
        Column("Duration", cells.job_duration),
        AGE,
        *WORKLOAD,
    ),
    ("batch", "CronJob"): (
        NAME,
        text("Schedule", "spec", "schedule"),
        text("Timezone", "spec", "timeZone"),
        Column("Suspend", lambda o, now: str(bool(o["spec"].get("suspend"))), "boolean"),
        Column("Active", lambda o, now: len((o.get("status") or {}).get("active") or ()), "integer"),
        Column("Last Schedule", cells.since("status", "lastScheduleTime")),
        AGE,
        CONTAINERS,
        IMAGES,
        Column("Selector", lambda o, now: NONE, priority=1),
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        NAME,
        Column("Reference", cells.scaled_object),
        Column("Targets", cells.hpa_targets),
        Column("MinPods", lambda o, now: str(o["spec"].get("minReplicas", "<unset>"))),
        number("MaxPods", "spec", "maxReplicas"),
        number("Replicas", "status", "currentReplicas"),
        AGE,
    ),
    ("policy", "PodDisruptionBudget"): (
        NAME,
        Column("Min Available", lambda o, now: str(o["spec"].get("minAvailable", "N/A"))),
        Column("Max Unavailable", lambda o, now: str(o["spec"].get("maxUnavailable", "N/A"))),
        number("Allowed Disruptions", "status", "disruptionsAllowed"),
        AGE,
    ),
    ("networking.k8s.io", "Ingress"): (
        NAME,
        text("Class", "spec", "ingressClassName"),
        Column("Hosts", cells.ingress_hosts),
        Column("Address", lambda o, now: cells.external_ip({**o, "spec": {}}, now).replace(NONE, "")),
        Column("Ports", lambda o, now: "80, 443" if o["spec"].get("tls") else "80"),
        AGE,
    ),
    ("networking.k8s.io", "NetworkPolicy"): (
        NAME,
        Column("Pod-Selector", lambda o, now: cells.selector_text(o["spec"].get("podSelector"))),
        AGE,
    ),
    ("discovery.k8s.io", "EndpointSlice"): (
        NAME,
        text("AddressType", "addressType"),
        Column("Ports", cells.slice_ports),
        Column("Endpoints", cells.slice_endpoints),
        AGE,
    ),
    ("coordination.k8s.io", "Lease"): (NAME, Column("Holder", cells.value("spec", "holderIdentity", default="")), AGE),
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("scheduling.k8s.io", "PriorityClass"): (
        NAME,
        number("Value", "value"),
        Column("Global-Default", lambda o, now: bool(o.get("globalDefault")), "boolean"),
        AGE,
        text("PreemptionPolicy", "preemptionPolicy", priority=1),
    ),
    ("storage.k8s.io", "StorageClass"): (
        NAME,
        text("Provisioner", "provisioner"),
        text("ReclaimPolicy", "reclaimPolicy"),
        text("VolumeBindingMode", "volumeBindingMode"),
        Column("AllowVolumeExpansion", lambda o, now: bool(o.get("allowVolumeExpansion")), "boolean"),
        AGE,
    ),
}
COLUMNS["events.k8s.io", "Event"] = COLUMNS["", "Event"]


def of(group: str, kind: str) -> tuple[Column, ...]:
    """The columns of a built-in kind."""
    return COLUMNS.get((group, kind), DEFAULT)
