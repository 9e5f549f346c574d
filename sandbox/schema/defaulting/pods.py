"""Pods, their containers, probes and volumes."""

from __future__ import annotations

from typing import Any

from sandbox.schema.node import Obj

FILE_MODE = 0o644
VOLUME_MODE: dict[str, Any] = {"defaultMode": FILE_MODE}
CONTAINER: dict[str, Any] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
CONSTANTS: dict[str, dict[str, Any]] = {
    "PodSpec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
    "Container": CONTAINER,
    "EphemeralContainer": CONTAINER,
    "ContainerPort": {"protocol": "TCP"},
    "Probe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
    "HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    "GRPCAction": {"service": ""},
    "ObjectFieldSelector": {"apiVersion": "v1"},
    "SecretVolumeSource": VOLUME_MODE,
    "ConfigMapVolumeSource": VOLUME_MODE,
    "DownwardAPIVolumeSource": VOLUME_MODE,
    "ProjectedVolumeSource": VOLUME_MODE,
    "ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    "HostPathVolumeSource": {"type": ""},
}


def _volume(volume: Obj) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}


def _pull_policy(container: Obj) -> None:
    if not container.get("imagePullPolicy"):
        image = container.get("image", "")
        container["imagePullPolicy"] = "Always" if image and tag_of(image) == "latest" else "IfNotPresent"


def tag_of(image: str) -> str:
    """The tag of an image reference: `latest` where there is neither tag nor digest, empty for a digest alone."""
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if colon:
        return tag
    return "" if digest else "latest"


def _service_account(spec: Obj) -> None:
    """The deprecated field `serviceAccount` always says what `serviceAccountName` says."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _requests(pod: Obj) -> None:
    """What has a limit and no request requests its limit; only pods, not templates."""
    spec = pod.setdefault("spec", {})
    spec.setdefault("enableServiceLinks", True)
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        resources = container.get("resources") or {}
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **resources.get("requests", {})}
        if spec.get("hostNetwork"):
            for port in container.get("ports", ()):
                port.setdefault("hostPort", port.get("containerPort"))


RULES = {
    "Volume": _volume,
    "Container": _pull_policy,
    "EphemeralContainer": _pull_policy,
    "PodSpec": _service_account,
}
AFTER = {"Pod": _requests}
