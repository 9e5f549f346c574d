"""Before strict mutual TLS: who would be cut off by it."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.clients.prometheus import Sample
from meshflow.engine import addons, observing
from meshflow.engine.questions.asking import Options
from meshflow.engine.questions.mtls import effective
from meshflow.errors import MeshflowError
from meshflow.gates import mtls, queries
from meshflow.gates.model import Verdict
from meshflow.mesh import evidence
from meshflow.mesh import injection as proxies
from meshflow.mesh.mtls import Mode
from meshflow.objects.reference import Reference
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    """Traffic is only asked about where a workload still takes plain text: nothing else would change."""
    names = {item.name for item in mesh.injection.namespaces}
    cluster = await observing.workloads(kube, namespaces=names)
    policies = await observing.items(kube, "security.istio.io/v1", "PeerAuthentication")
    pods = [pod for pod in cluster.pods if proxies.alive(pod)]
    gateways = {mesh.ingress.namespace, *_gateway_namespaces(mesh)}
    workloads = [pod for pod in pods if proxies.proxy_of(pod) and pod["metadata"]["namespace"] not in gateways]
    opened = [pod for pod in workloads if any(it.mode is not Mode.STRICT for it in effective(pod, policies))]
    services = [item for item in await observing.items(kube, "v1", "Service") if item["metadata"]["namespace"] in names]
    found = evidence.from_objects(
        namespaces=cluster.namespaces,
        pods=pods,
        services=services,
    )
    strict = len(workloads) - len(opened)
    if not opened:
        return [mtls.evidence(found, workloads=0, requests=None, strict=strict)]
    try:
        seen, secure = await _traffic(kube, mesh)
    except MeshflowError as problem:
        return [mtls.blind(found, workloads=len(opened), why=str(problem))]
    owners = proxies.by_reference(cluster.workloads)
    silent = {_name(proxies.owner_of(pod, owners)) for pod in opened} - set(secure)
    requests = sum(secure.values()) if secure else None
    return [
        mtls.evidence([*found, *seen], workloads=len(opened), requests=requests, strict=strict, silent=silent),
    ]


async def _traffic(kube: Kube, mesh: Mesh) -> tuple[list[evidence.Finding], dict[str, float]]:
    """What arrived in plain text, and how many requests each workload got securely: one where only bytes flowed."""
    prometheus = addons.prometheus(kube, mesh)

    async def asked(name: str) -> list[Sample]:
        return await prometheus.query(queries.query(name))

    plain = [
        *evidence.plaintext(await asked("plaintext_requests")),
        *evidence.plaintext(await asked("plaintext_connections"), what="connections"),
        *evidence.plaintext(await asked("plaintext_bytes"), what="bytes"),
    ]
    secure = {_destination(sample): 1.0 for sample in await asked("mutual_tls_bytes")}
    return plain, secure | {_destination(sample): sample.value for sample in await asked("mutual_tls_requests")}


def _destination(sample: Sample) -> str:
    labels = sample.labels
    return f"{labels.get('destination_workload_namespace', '?')}/{labels.get('destination_workload', '?')}"


def _name(workload: Reference) -> str:
    """As the proxies call it."""
    return f"{workload.namespace}/{workload.name}"


def _gateway_namespaces(mesh: Mesh) -> set[str]:
    return {source.namespace for _, _, source in mesh.chart_sources() if source.name == "gateway"}
