"""What Go's JSON encoder does with zero values, which no OpenAPI document tells.

A built-in kind is a Go struct. A field that is no pointer and has `omitempty` disappears with its zero value; one that
is a pointer does not (`replicas: 0` stays, `minReadySeconds: 0` goes); a struct inside a struct is always there
(`resources: {}`); a list without `omitempty` is null when it is empty. The common case needs no entry here: optional
strings, lists and maps go when they are empty, optional numbers and booleans stay. The tables have the exceptions, as
`field` or `Struct.field`; `!Struct.field` is an exception to the exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.schema.node import Shape


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEPT_STRINGS = _names("""
    $ref appProtocol apiGroup !Subject.apiGroup !TypedLocalObjectReference.apiGroup cachingMode completionMode
    PodFailurePolicyOnExitCodesRequirement.containerName currentVolumeAttributesClassName deprecationWarning
    PortStatus.error IngressPortStatus.error failedIndexes failurePolicy fsGroupChangePolicy fsGroupPolicy
    AzureDiskVolumeSource.fsType LocalVolumeSource.fsType CSIVolumeSource.fsType gmsaCredentialSpec
    gmsaCredentialSpecName holderIdentity Endpoint.hostname hostnameOverride ingressClassName initiatorName
    internalTrafficPolicy ipFamilyPolicy ipMode AzureDiskVolumeSource.kind labelSelectorPath loadBalancerClass
    localhostProfile managedBy matchPolicy ResourceHealth.message mountPropagation EndpointPort.name
    ClusterTrustBundleProjection.name TypedObjectReference.namespace IngressClassParametersReference.namespace
    nodeAffinityPolicy nodeName !PodSpec.nodeName nodeTaintsPolicy parameterNotFoundAction ServiceReference.path
    persistentVolumeName podReplacementPolicy preemptionPolicy preferredHolder procMount EndpointPort.protocol
    NetworkPolicyPort.protocol Validation.reason ValidationRule.reason reclaimPolicy recursiveReadOnly
    MutatingWebhook.reinvocationPolicy reportingComponent reportingInstance resourceClaimName
    resourceClaimTemplateName Container.restartPolicy runAsUserName runtimeClassName scope seLinuxChangePolicy
    secretNamespace selectPolicy service serviceName signerName stopSignal PersistentVolumeClaimSpec.storageClassName
    strategy succeededIndexes supplementalGroupsPolicy timeZone trafficDistribution HostPathVolumeSource.type
    unhealthyPodEvictionPolicy WebhookClientConfig.url PodDNSConfigOption.value volumeAttributesClassName
    volumeBindingMode volumeMode x-kubernetes-list-type x-kubernetes-map-type zone
""")
DROPPED_INTEGERS = _names("""
    active availableReplicas !StatefulSetStatus.availableReplicas Event.count currentReplicas failed failureThreshold
    fullyLabeledReplicas generation healthCheckNodePort hostPort initialDelaySeconds minReadySeconds nodePort number
    numberAvailable numberUnavailable observedGeneration !HorizontalPodAutoscalerStatus.observedGeneration partition
    !RollingUpdateStatefulSetStrategy.partition periodSeconds CustomResourceColumnDefinition.priority readyReplicas
    DeploymentStatus.replicas ScaleSpec.replicas signal sizeBytes succeeded successThreshold Probe.timeoutSeconds
    unavailableReplicas updatedNumberScheduled updatedReplicas
""")
DROPPED_BOOLEANS = _names("""
    chapAuthDiscovery chapAuthSession deprecated exclusiveMaximum exclusiveMinimum globalDefault hostIPC hostNetwork
    hostPID insecureSkipTLSVerify nullable paused preserveUnknownFields publishNotReadyAddresses readOnly
    !AzureDiskVolumeSource.readOnly !CSIVolumeSource.readOnly sslEnabled stdin stdinOnce tty uniqueItems unschedulable
    x-kubernetes-embedded-resource x-kubernetes-int-or-string
""")
KEPT_LISTS = _names("""
    ContainerImage.names EndpointSlice.endpoints EndpointSlice.ports ClusterRole.rules Role.rules
    CustomResourceDefinitionStatus.conditions CustomResourceDefinitionStatus.storedVersions
    ProjectedVolumeSource.sources CSINodeDriver.topologyKeys
""")

ALWAYS: Mapping[str, tuple[str, ...]] = {
    "Container": ("resources",),
    "ContainerStatus": ("lastState", "state"),
    "CronJobSpec": ("jobTemplate",),
    "CustomResourceDefinitionSpec": ("names",),
    "DaemonSetSpec": ("template", "updateStrategy"),
    "DeploymentSpec": ("strategy", "template"),
    "Endpoint": ("conditions",),
    "EphemeralContainer": ("resources",),
    "HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "IngressServiceBackend": ("port",),
    "IngressStatus": ("loadBalancer",),
    "JobSpec": ("template",),
    "JobTemplateSpec": ("metadata", "spec"),
    "MutatingWebhook": ("clientConfig",),
    "NetworkPolicySpec": ("podSelector",),
    "NodeStatus": ("daemonEndpoints", "nodeInfo"),
    "PersistentVolumeClaim": ("spec", "status"),
    "PersistentVolumeClaimSpec": ("resources",),
    "PodTemplate": ("template",),
    "PodTemplateSpec": ("metadata", "spec"),
    "ReplicaSetSpec": ("template",),
    "ServiceStatus": ("loadBalancer",),
    "StatefulSetSpec": ("template", "updateStrategy"),
    "ValidatingWebhook": ("clientConfig",),
}
"""The structs inside other structs that are there whether they were sent or not."""

BLANK: Mapping[str, Mapping[str, Any]] = {
    "ClusterRole": {"rules": None},
    "CustomResourceDefinitionSpec": {"versions": None},
    "CustomResourceDefinitionStatus": {"conditions": None, "storedVersions": None},
    "EndpointSlice": {"endpoints": None, "ports": None},
    "PodSpec": {"containers": None},
    "Role": {"rules": None},
    "StatefulSetSpec": {"serviceName": ""},
}
"""The other fields that are there in an object to which nobody has written."""


def goes(shape: Shape, struct: str, field: str) -> bool:
    """Whether an optional field of a struct disappears with its zero value."""
    match shape:
        case Shape.STRING:
            return not _listed(KEPT_STRINGS, struct, field)
        case Shape.INTEGER:
            return _listed(DROPPED_INTEGERS, struct, field)
        case Shape.BOOLEAN:
            return _listed(DROPPED_BOOLEANS, struct, field)
        case Shape.LIST | Shape.MAP | Shape.BYTES:
            return not _listed(KEPT_LISTS, struct, field)
    return False


def _listed(table: frozenset[str], struct: str, field: str) -> bool:
    full = f"{struct}.{field}"
    return (field in table or full in table) and f"!{full}" not in table
