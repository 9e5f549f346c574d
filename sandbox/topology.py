"""What the traffic model must know of the cluster, read once per step from plain objects.

`Topology` is pure: it is made from plain objects. `read` fetches the lists it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api.errors import ApiError

if TYPE_CHECKING:
    from sandbox.client import Client

Obj = dict[str, Any]

PROXY = "istio-proxy"
ROOT_NAMESPACE = "istio-system"
READ: tuple[tuple[str, str], ...] = (
    ("v1", "Pod"),
    ("v1", "Service"),
    ("networking.istio.io/v1", "VirtualService"),
    ("networking.istio.io/v1", "DestinationRule"),
    ("networking.istio.io/v1", "Gateway"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
)


class Pod(NamedTuple):
    name: str
    namespace: str
    ip: str
    labels: Mapping[str, str]
    workload: str  # the Deployment, StatefulSet or DaemonSet that it belongs to; its own name without one
    image: str  # of the first container that is not the proxy; empty for a gateway
    account: str
    ready: bool
    proxied: bool
    gateway: bool  # the proxy is its only container
    scraped: bool
    proxy_version: str  # the tag of the proxy's image; empty without one
    ports: Mapping[str, int]  # the containers' ports that have names


class Port(NamedTuple):
    name: str
    number: int
    target: int | str  # the container's port, by number or name
    tcp: bool  # plain TCP, not HTTP or gRPC


class Service(NamedTuple):
    name: str
    namespace: str
    selector: Mapping[str, str]
    ports: tuple[Port, ...]
    canary_twin: bool  # made by Flagger beside the real one (-primary, -canary)

    @property
    def host(self) -> str:
        return f"{self.name}.{self.namespace}.svc.cluster.local"


class Workload(NamedTuple):
    name: str
    namespace: str
    pods: tuple[Pod, ...]  # ready ones

    @property
    def proxied(self) -> bool:
        return any(pod.proxied for pod in self.pods)


class Topology:
    """Facts of one moment, with the look-ups that the traffic model needs."""

    def __init__(self, objects: Mapping[str, Iterable[Obj]]) -> None:
        self.pods = [pod for obj in objects.get("Pod", ()) if (pod := _pod(obj))]
        self.services = {(s.namespace, s.name): s for s in map(_service, objects.get("Service", ()))}
        self.virtual_services = list(objects.get("VirtualService", ()))
        self.destination_rules = list(objects.get("DestinationRule", ()))
        self.gateways = list(objects.get("Gateway", ()))
        self.peer_authentications = list(objects.get("PeerAuthentication", ()))
        self.authorization_policies = list(objects.get("AuthorizationPolicy", ()))

    def behind(self, service: Service) -> list[Pod]:
        """The ready pods that the Service selects, by name."""
        if not service.selector:
            return []
        return [
            pod
            for pod in self.pods_of(service.namespace)
            if pod.ready and service.selector.items() <= pod.labels.items()
        ]

    def pods_of(self, namespace: str) -> list[Pod]:
        return self._by_namespace.get(namespace, [])

    def service_at(self, host: str, namespace: str) -> Service | None:
        """The Service that `host` (short or full) means for an object in `namespace`."""
        name, _, rest = host.partition(".")
        return self.services.get((rest.split(".")[0] or namespace, name))

    def destination_rule(self, service: Service) -> Obj | None:
        """The first DestinationRule for the Service's host."""
        for rule in self.destination_rules:
            if self.service_at(rule["spec"].get("host", ""), rule["metadata"]["namespace"]) == service:
                return rule
        return None

    @cached_property
    def _by_namespace(self) -> dict[str, list[Pod]]:
        grouped: dict[str, list[Pod]] = {}
        for pod in sorted(self.pods, key=lambda p: p.name):
            grouped.setdefault(pod.namespace, []).append(pod)
        return grouped

    @cached_property
    def workloads(self) -> dict[tuple[str, str], Workload]:
        """Workloads with at least one ready pod."""
        grouped: dict[tuple[str, str], list[Pod]] = {}
        for pod in self.pods:
            if pod.ready:
                grouped.setdefault((pod.namespace, pod.workload), []).append(pod)
        return {key: Workload(key[1], key[0], tuple(pods)) for key, pods in sorted(grouped.items())}


async def read(client: Client) -> Topology:
    """The present topology. Kinds whose CRD is not there yet count as empty."""
    objects: dict[str, list[Obj]] = {}
    for api_version, kind in READ:
        try:
            objects[kind] = await client.list(api_version, kind)
        except ApiError:
            objects[kind] = []
    return Topology(objects)


def basename(image: str) -> str:
    """`podinfo` for `ghcr.io/stefanprodan/podinfo:6.7.1@sha256:…`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def tag_of(image: str) -> str:
    """`1.30.3` for `registry.istio.io/release/proxyv2:1.30.3@sha256:…`; empty without a tag."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _service(obj: Obj) -> Service:
    metadata, spec = obj["metadata"], obj.get("spec", {})
    owners = metadata.get("ownerReferences") or ()
    generated = any(owner["kind"] == "Canary" for owner in owners)
    twin = generated and metadata["name"].endswith(("-primary", "-canary"))
    ports = tuple(_port(p) for p in spec.get("ports") or ())
    return Service(metadata["name"], metadata["namespace"], spec.get("selector") or {}, ports, twin)


def _port(port: Obj) -> Port:
    return Port(port.get("name", ""), port["port"], port.get("targetPort") or port["port"], _is_tcp(port))


def _is_tcp(port: Obj) -> bool:
    protocol = (port.get("appProtocol") or port.get("name", "").partition("-")[0]).lower()
    return protocol in {"tcp", "kafka", "tls", "mongo", "mysql", "redis", "postgres"}


def _pod(obj: Obj) -> Pod | None:
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status", {})
    if status.get("phase") not in {"Running", None} or metadata.get("deletionTimestamp"):
        return None
    containers = spec.get("containers") or []
    images = [c.get("image", "") for c in containers if c["name"] != PROXY]
    proxy = next((c for c in [*containers, *(spec.get("initContainers") or [])] if c["name"] == PROXY), None)
    declared = (metadata.get("annotations") or {}).get("prometheus.io/scrape") == "true"
    return Pod(
        name=metadata["name"],
        namespace=metadata["namespace"],
        ip=status.get("podIP", ""),
        labels=metadata.get("labels") or {},
        workload=_workload(metadata),
        image=images[0] if images else "",
        account=spec.get("serviceAccountName") or "default",
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()),
        proxied=proxy is not None,
        gateway=proxy is not None and not images,
        scraped=proxy is not None or declared,
        proxy_version=tag_of(proxy.get("image", "")) if proxy else "",
        ports={p["name"]: p["containerPort"] for c in containers for p in c.get("ports") or () if p.get("name")},
    )


def _workload(metadata: Obj) -> str:
    owner = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), None)
    if owner is None:
        return str(metadata["name"])
    if owner["kind"] != "ReplicaSet":
        return str(owner["name"])
    template = (metadata.get("labels") or {}).get("pod-template-hash", "")
    return str(owner["name"]).removesuffix(f"-{template}")
