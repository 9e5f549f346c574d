"""The containers and volumes that the two templates of the injector bring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

Obj = dict[str, Any]

PROXY = "istio-proxy"
INIT = "istio-init"
VALIDATION = "istio-validation"
USER = 1337
CRL: Obj = {"name": "istio-ca-crl", "configMap": {"name": "istio-ca-crl", "optional": True}}
READY = {"path": "/healthz/ready", "port": 15021}


class Made(NamedTuple):
    """What a template adds to a pod."""

    init: list[Obj]
    containers: list[Obj]
    volumes: list[Obj]
    security_context: Obj


class Workload(NamedTuple):
    """What a pod is of."""

    api_version: str
    kind: str
    name: str


class Proxy:
    """The settings, as the templates ask for them."""

    def __init__(self, values: Obj, mesh: Obj, pod: Obj, workload: Workload) -> None:
        self.values, self.mesh, self.pod, self.workload = values, mesh, pod, workload
        self.labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
        self.annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}

    @property
    def all(self) -> Obj:
        return self.values.get("global") or {}

    @property
    def own(self) -> Obj:
        return self.all.get("proxy") or {}

    @property
    def cni(self) -> bool:
        return bool((self.values.get("pilot", {}).get("cni") or {}).get("enabled"))

    @property
    def image(self) -> str:
        image = self.annotations.get("sidecar.istio.io/proxyImage") or self.own.get("image") or "proxyv2"
        if "/" in image:
            return image
        variant = self.all.get("variant")
        tag = f"{self.all.get('tag', 'latest')}{f'-{variant}' if variant else ''}"
        return f"{self.all.get('hub', 'registry.istio.io/release')}/{image}:{tag}"

    @property
    def resources(self) -> Obj:
        asked = {
            "requests": {"cpu": "sidecar.istio.io/proxyCPU", "memory": "sidecar.istio.io/proxyMemory"},
            "limits": {"cpu": "sidecar.istio.io/proxyCPULimit", "memory": "sidecar.istio.io/proxyMemoryLimit"},
        }
        found = {
            kind: {name: self.annotations[key] for name, key in keys.items() if key in self.annotations}
            for kind, keys in asked.items()
        }
        found = {kind: amounts for kind, amounts in found.items() if amounts}
        return found or dict(self.own.get("resources") or {})

    @property
    def log_level(self) -> str:
        return self.annotations.get("sidecar.istio.io/logLevel") or str(self.own.get("logLevel", "warning"))

    @property
    def owner(self) -> str:
        """The workload as telemetry names it."""
        place = f"namespaces/{self.pod['metadata'].get('namespace', 'default')}/{self.workload.kind.lower()}s"
        return f"kubernetes://apis/{self.workload.api_version}/{place}/{self.workload.name}"

    @property
    def mode(self) -> str:
        default = (self.mesh.get("defaultConfig") or {}).get("interceptionMode", "REDIRECT")
        return self.annotations.get("sidecar.istio.io/interceptionMode", default)

    def traffic(self, key: str) -> str:
        """A setting of what is redirected: the pod's annotation, or the mesh's value."""
        return str(self.annotations.get(f"traffic.sidecar.istio.io/{key}", self.own.get(key, "")))


def sidecar(proxy: Proxy, *, native: bool) -> Made:
    """The template `sidecar`: native ones run among the init containers, for as long as the pod."""
    container = _container(proxy, role="sidecar")
    container["volumeMounts"].append({"name": CRL["name"], "mountPath": "/var/run/secrets/istio/crl"})
    volumes = [*_volumes(proxy), CRL]
    container["securityContext"] = _context(privileged=bool(proxy.own.get("privileged")))
    if proxy.own.get("startupProbe", {}).get("enabled", True):
        failures = proxy.own.get("startupProbe", {}).get("failureThreshold", 600)
        container["startupProbe"] = {
            "httpGet": dict(READY),
            "initialDelaySeconds": 0,
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        }
    init = [_redirection(proxy)] if proxy.mode != "NONE" else []
    if not native:
        return Made(init, [container], volumes, {})
    container["restartPolicy"] = "Always"
    drain = ["pilot-agent", "request", f"--debug-port={proxy.own.get('statusPort', 15020)}", "POST", "drain"]
    container["lifecycle"] = {"preStop": {"exec": {"command": drain}}}
    return Made([*init, container], [], volumes, {})


def gateway(proxy: Proxy) -> Made:
    """The template `gateway`: the proxy is the pod's own container, with nothing redirected."""
    container = _container(proxy, role="router")
    container["securityContext"] = {"runAsUser": USER, "runAsGroup": USER}
    sysctls = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return Made([], [container], _volumes(proxy), {"sysctls": sysctls})


def _container(proxy: Proxy, *, role: str) -> Obj:
    return {
        "name": PROXY,
        "image": proxy.image,
        "args": [
            "proxy",
            role,
            "--domain",
            f"$(POD_NAMESPACE).svc.{proxy.own.get('clusterDomain', 'cluster.local')}",
            f"--proxyLogLevel={proxy.log_level}",
            f"--proxyComponentLogLevel={proxy.own.get('componentLogLevel', 'misc:error')}",
            f"--log_output_level={proxy.all.get('logging', {}).get('level', 'default:info')}",
        ],
        "ports": [{"containerPort": 15090, "protocol": "TCP", "name": "http-envoy-prom"}],
        "env": _environment(proxy),
        "resources": proxy.resources,
        "readinessProbe": {
            "httpGet": dict(READY),
            "initialDelaySeconds": proxy.own.get("readinessInitialDelaySeconds", 0),
            "periodSeconds": proxy.own.get("readinessPeriodSeconds", 15),
            "timeoutSeconds": 3,
            "failureThreshold": proxy.own.get("readinessFailureThreshold", 4),
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in MOUNTS.items()],
    }


def _redirection(proxy: Proxy) -> Obj:
    status = str(proxy.own.get("statusPort", 15020))
    excluded = ",".join(filter(None, ["15090,15021", status, proxy.traffic("excludeInboundPorts")]))
    arguments = ["istio-iptables", "-p", "15001", "-z", "15006", "-u", str(USER), "-m", proxy.mode]
    arguments += ["-i", proxy.traffic("includeIPRanges") or "*", "-x", proxy.traffic("excludeIPRanges")]
    arguments += ["-b", proxy.traffic("includeInboundPorts") or "*", "-d", excluded]
    if proxy.traffic("excludeOutboundPorts"):
        arguments += ["-o", proxy.traffic("excludeOutboundPorts")]
    arguments.append(f"--log_output_level={proxy.all.get('logging', {}).get('level', 'default:info')}")
    arguments += ["--run-validation", "--skip-rule-apply"] if proxy.cni else []
    return {
        "name": VALIDATION if proxy.cni else INIT,
        "image": proxy.image,
        "args": arguments,
        "resources": proxy.resources,
        "securityContext": _context() if proxy.cni else _root(),
    }


def _context(*, privileged: bool = False) -> Obj:
    return {
        "allowPrivilegeEscalation": privileged,
        "capabilities": {"drop": ["ALL"]},
        "privileged": privileged,
        "readOnlyRootFilesystem": True,
        "runAsGroup": USER,
        "runAsNonRoot": True,
        "runAsUser": USER,
    }


def _root() -> Obj:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": False,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "runAsUser": 0,
    }


def _environment(proxy: Proxy) -> list[Obj]:
    namespace = proxy.all.get("istioNamespace", "istio-system")
    suffix = f"-{proxy.values['revision']}" if proxy.values.get("revision") else ""
    apps = [c for c in proxy.pod["spec"]["containers"] if c["name"] != PROXY]
    ports = [port for container in apps for port in container.get("ports") or ()]
    from_pod = {
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "INSTANCE_IP": "status.podIP",
        "SERVICE_ACCOUNT": "spec.serviceAccountName",
        "HOST_IP": "status.hostIP",
        "ISTIO_META_NODE_NAME": "spec.nodeName",
    }
    said = {
        "PILOT_CERT_PROVIDER": proxy.all.get("pilotCertProvider", "istiod"),
        "CA_ADDR": f"istiod{suffix}.{namespace}.svc:15012",
        "PROXY_CONFIG": json.dumps(proxy.mesh.get("defaultConfig") or {}, separators=(",", ":")),
        "ISTIO_META_POD_PORTS": json.dumps(ports, separators=(",", ":")),
        "ISTIO_META_APP_CONTAINERS": ",".join(c["name"] for c in apps),
        "ISTIO_META_CLUSTER_ID": proxy.all.get("multiCluster", {}).get("clusterName") or "Kubernetes",
        "ISTIO_META_INTERCEPTION_MODE": proxy.mode,
        "ISTIO_META_WORKLOAD_NAME": proxy.workload.name,
        "ISTIO_META_OWNER": proxy.owner,
        "ISTIO_META_MESH_ID": proxy.all.get("meshID") or proxy.mesh.get("trustDomain", "cluster.local"),
        "TRUST_DOMAIN": proxy.mesh.get("trustDomain", "cluster.local"),
    }
    limits = {"ISTIO_CPU_LIMIT": "limits.cpu", "GOMAXPROCS": "limits.cpu", "GOMEMLIMIT": "limits.memory"}
    fields = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in from_pod.items()]
    fields += [
        {"name": name, "valueFrom": {"resourceFieldRef": {"resource": limit, "divisor": "1"}}}
        for name, limit in limits.items()
    ]
    return fields + [{"name": name, "value": str(value)} for name, value in said.items()]


MOUNTS = {
    "workload-socket": "/var/run/secrets/workload-spiffe-uds",
    "credential-socket": "/var/run/secrets/credential-uds",
    "workload-certs": "/var/run/secrets/workload-spiffe-credentials",
    "istiod-ca-cert": "/var/run/secrets/istio",
    "istio-data": "/var/lib/istio/data",
    "istio-envoy": "/etc/istio/proxy",
    "istio-token": "/var/run/secrets/tokens",
    "istio-podinfo": "/etc/istio/pod",
}


def _volumes(proxy: Proxy) -> list[Obj]:
    token = {"path": "istio-token", "expirationSeconds": 43200, "audience": "istio-ca"}
    fields = [{"path": name, "fieldRef": {"fieldPath": f"metadata.{name}"}} for name in ("labels", "annotations")]
    return [
        {"name": "workload-socket", "emptyDir": {}},
        {"name": "credential-socket", "emptyDir": {}},
        {"name": "workload-certs", "emptyDir": {}},
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istio-data", "emptyDir": {}},
        {"name": "istio-podinfo", "downwardAPI": {"items": fields}},
        {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}},
    ]
