"""With strict mutual TLS: the mode of every workload and port, and what clients are told to speak."""

from __future__ import annotations

from collections.abc import Sequence

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import Options
from meshflow.gates import mtls
from meshflow.gates.model import Verdict
from meshflow.mesh import injection as proxies
from meshflow.mesh import mtls as modes
from meshflow.objects.reference import Obj
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    policies = await observing.items(kube, "security.istio.io/v1", "PeerAuthentication")
    rules = await observing.items(kube, "networking.istio.io/v1", "DestinationRule")
    services = await observing.items(kube, "v1", "Service")
    names = {item.name for item in mesh.injection.namespaces}
    cluster = await observing.workloads(kube)
    owners = proxies.by_reference(cluster.workloads)
    answers: dict[str, tuple[modes.Effective, ...]] = {}
    for pod in cluster.pods:
        namespace = pod["metadata"].get("namespace", "")
        if namespace in names and proxies.alive(pod) and proxies.proxy_of(pod) and not _is_gateway(pod):
            owner = str(proxies.owner_of(pod, owners))
            answers[owner] = _effective(pod, namespace, policies)
    return [
        mtls.effective(answers) if answers else _mesh_wide(policies),
        mtls.clients(modes.conflicts(rules, servers=_servers(services, cluster.pods, policies)), rules=len(rules)),
    ]


def _effective(pod: Obj, namespace: str, policies: Sequence[Obj]) -> tuple[modes.Effective, ...]:
    metadata = pod["metadata"]
    return modes.effective(
        metadata.get("labels") or {},
        namespace=namespace,
        ports=_ports(pod),
        policies=policies,
        annotations=metadata.get("annotations") or {},
    )


def _mesh_wide(policies: Sequence[Obj]) -> Verdict:
    """Before there is a workload: what the first one will meet."""
    return mtls.effective(
        {
            "any workload": modes.effective({}, namespace="", ports=[80], policies=policies),
        }
    )


def _ports(pod: Obj) -> list[int]:
    containers = [item for item in pod["spec"].get("containers", []) if item["name"] != proxies.CONTAINER]
    return sorted({int(port["containerPort"]) for item in containers for port in item.get("ports") or []})


def _is_gateway(pod: Obj) -> bool:
    containers = {item["name"] for item in pod["spec"].get("containers", [])}
    return containers == {proxies.CONTAINER}


def _servers(services: Sequence[Obj], pods: Sequence[Obj], policies: Sequence[Obj]) -> dict[str, modes.Mode | None]:
    """The weakest mode behind each Service that has pods; None where one has no proxy."""
    found: dict[str, modes.Mode | None] = {}
    for service in services:
        selector, namespace = service["spec"].get("selector") or {}, service["metadata"]["namespace"]
        behind = [
            pod
            for pod in pods
            if pod["metadata"].get("namespace") == namespace
            and proxies.alive(pod)
            and selector
            and selector.items() <= (pod["metadata"].get("labels") or {}).items()
        ]
        if behind:
            host = modes.full_name(service["metadata"]["name"], namespace=namespace)
            found[host] = _weakest([_mode(pod, namespace, policies) for pod in behind])
    return found


def _mode(pod: Obj, namespace: str, policies: Sequence[Obj]) -> modes.Mode | None:
    if proxies.proxy_of(pod) is None:
        return None
    return _weakest([item.mode for item in _effective(pod, namespace, policies)]) if _ports(pod) else modes.Mode.STRICT


def _weakest(found: Sequence[modes.Mode | None]) -> modes.Mode | None:
    order = (None, modes.Mode.DISABLE, modes.Mode.PERMISSIVE, modes.Mode.STRICT)
    return min(found, key=order.index)
