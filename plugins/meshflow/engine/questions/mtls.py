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
    answers: dict[str, dict[modes.Effective, None]] = {}
    for pod in cluster.pods:
        meshed = pod["metadata"].get("namespace") in names and proxies.alive(pod) and proxies.proxy_of(pod)
        if meshed and not is_gateway(pod):
            owner = str(proxies.owner_of(pod, owners))
            answers.setdefault(owner, {}).update(dict.fromkeys(effective(pod, policies)))
    return [
        mtls.effective({owner: tuple(found) for owner, found in answers.items()}) if answers else _mesh_wide(policies),
        mtls.clients(modes.conflicts(rules, servers=_servers(services, cluster.pods, policies)), rules=len(rules)),
    ]


def effective(pod: Obj, policies: Sequence[Obj], *, ports: Sequence[int] | None = None) -> tuple[modes.Effective, ...]:
    """The modes of a pod's ports, of all of them unless some are named."""
    metadata = pod["metadata"]
    return modes.effective(
        metadata.get("labels") or {},
        namespace=metadata.get("namespace", ""),
        ports=modes.ports(pod, policies=policies) if ports is None else ports,
        policies=policies,
        annotations=metadata.get("annotations") or {},
    )


def is_gateway(pod: Obj) -> bool:
    """Whether the proxy is all that the pod runs."""
    return {item["name"] for item in pod["spec"].get("containers", [])} == {proxies.CONTAINER}


def _mesh_wide(policies: Sequence[Obj]) -> Verdict:
    """Before there is a workload: what the first one will meet."""
    return mtls.effective(
        {
            "any workload": modes.effective({}, namespace="", ports=[80], policies=policies),
        }
    )


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
            found[host] = _weakest([_mode(pod, service, policies) for pod in behind])
    return found


def _mode(pod: Obj, service: Obj, policies: Sequence[Obj]) -> modes.Mode | None:
    """What the pod takes from the Service's clients."""
    if proxies.proxy_of(pod) is None:
        return None
    targets = _targets(pod, service) or [modes.OTHERS]
    return _weakest([item.mode for item in effective(pod, policies, ports=targets)])


def _targets(pod: Obj, service: Obj) -> list[int]:
    """The container ports that the Service leads to; a named one that the pod does not have leads nowhere."""
    containers = [*(pod["spec"].get("containers") or []), *(pod["spec"].get("initContainers") or [])]
    named = {port.get("name"): port["containerPort"] for item in containers for port in item.get("ports") or []}
    wanted = [port.get("targetPort", port["port"]) for port in service["spec"].get("ports") or []]
    return [int(port) for target in wanted if str(port := named.get(target, target)).isdigit()]


def _weakest(found: Sequence[modes.Mode | None]) -> modes.Mode | None:
    order = (None, modes.Mode.DISABLE, modes.Mode.PERMISSIVE, modes.Mode.STRICT)
    return min(found, key=order.index)
