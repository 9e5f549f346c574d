"""Before strict mutual TLS: who would be cut off by it."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import addons, observing
from meshflow.engine.questions.asking import Options
from meshflow.errors import MeshflowError
from meshflow.gates import mtls, queries
from meshflow.gates.model import Verdict
from meshflow.mesh import evidence
from meshflow.mesh import injection as proxies
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    cluster = await observing.workloads(kube)
    names = {item.name for item in mesh.injection.namespaces}
    pods = [pod for pod in cluster.pods if pod["metadata"].get("namespace") in names and proxies.alive(pod)]
    gateways = {mesh.ingress.namespace, *_gateway_namespaces(mesh)}
    workloads = [pod for pod in pods if proxies.proxy_of(pod) and pod["metadata"]["namespace"] not in gateways]
    services = [item for item in await observing.items(kube, "v1", "Service") if item["metadata"]["namespace"] in names]
    found = evidence.from_objects(
        namespaces=[item for item in cluster.namespaces if item["metadata"]["name"] in names],
        pods=pods,
        services=services,
    )
    seen: tuple[evidence.Finding, ...] = ()
    requests = None
    if workloads:
        try:
            seen, requests = await _plaintext(kube, mesh)
        except MeshflowError as problem:
            return [mtls.blind(found, workloads=len(workloads), why=str(problem))]
    return [mtls.evidence([*found, *seen], workloads=len(workloads), requests=requests)]


async def _plaintext(kube: Kube, mesh: Mesh) -> tuple[tuple[evidence.Finding, ...], float | None]:
    prometheus = addons.prometheus(kube, mesh)
    requests = evidence.plaintext(await prometheus.query(queries.query("plaintext_requests")))
    connections = evidence.plaintext(await prometheus.query(queries.query("plaintext_connections")), what="connections")
    total = await prometheus.query(queries.query("mutual_tls_requests"))
    return (*requests, *connections), total[0].value if total else None


def _gateway_namespaces(mesh: Mesh) -> set[str]:
    return {source.namespace for _, _, source in mesh.chart_sources() if source.name == "gateway"}
