"""Services, endpoints, network policies, ConfigMaps and Secrets."""

from __future__ import annotations

import base64
from typing import Any

from sandbox.schema.node import Obj

THREE_HOURS = 10800
CONSTANTS: dict[str, dict[str, Any]] = {
    "ServiceSpec": {"sessionAffinity": "None", "type": "ClusterIP"},
    "ServicePort": {"protocol": "TCP"},
    "EndpointPort": {"protocol": "TCP"},
    "NetworkPolicyPort": {"protocol": "TCP"},
    "Secret": {"type": "Opaque"},
    "PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    "PersistentVolumeClaimStatus": {"phase": "Pending"},
    "PersistentVolumeStatus": {"phase": "Pending"},
    "PersistentVolumeSpec": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
}


def _service(spec: Obj) -> None:
    if spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", THREE_HOURS)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["type"] in ("NodePort", "LoadBalancer") or (spec["type"] == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")


def _service_port(port: Obj) -> None:
    if port.get("targetPort") in (None, 0, "") and "port" in port:
        port["targetPort"] = port["port"]


def _policy_types(spec: Obj) -> None:
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _slice(endpoints: Obj) -> None:
    for port in endpoints.get("ports") or ():
        port.setdefault("name", "")
    for name in ("endpoints", "ports"):
        endpoints.setdefault(name, None)


def _string_data(secret: Obj) -> None:
    """stringData is for writing only: it ends up in data, and stays out of what is stored."""
    plain = secret.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        secret["data"] = {**secret.get("data", {}), **encoded}


def _ip_mode(service: Obj) -> None:
    for ingress in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress", ()):
        if ingress.get("ip"):
            ingress.setdefault("ipMode", "VIP")


RULES = {
    "ServiceSpec": _service,
    "ServicePort": _service_port,
    "NetworkPolicySpec": _policy_types,
    "Secret": _string_data,
    "EndpointSlice": _slice,
}
AFTER = {"Service": _ip_mode}
