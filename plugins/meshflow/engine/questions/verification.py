"""Whether the add-ons, beyond working, see every service of the application."""

from __future__ import annotations

from collections.abc import Sequence

from meshflow.clients.kube import Kube
from meshflow.engine import addons, observing
from meshflow.engine.questions import observability as working
from meshflow.engine.questions.asking import Options, asked
from meshflow.gates import kiali, observability, queries
from meshflow.gates.model import Verdict
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    services = await _called_services(kube, mesh)
    return [
        *await working.ask(kube, mesh, options),
        *await asked(observability.FRESH, _requests_fresh(kube, mesh, services)),
        *await asked(kiali.GRAPH, _kiali_graph(kube, mesh, services)),
    ]


async def _called_services(kube: Kube, mesh: Mesh) -> list[str]:
    """The services that answer requests: those with a Canary in the application's namespace."""
    canaries = await observing.items(kube, *observing.CANARY, namespace=mesh.services.namespace)
    return sorted(item["spec"]["targetRef"]["name"] for item in canaries)


async def _requests_fresh(kube: Kube, mesh: Mesh, services: Sequence[str]) -> Verdict:
    query = queries.query("requests_age", namespace=mesh.services.namespace)
    return observability.requests_fresh(await addons.prometheus(kube, mesh).query(query), services=services)


async def _kiali_graph(kube: Kube, mesh: Mesh, services: Sequence[str]) -> list[Verdict]:
    client = await addons.kiali(kube, mesh)
    graph = await client.graph([mesh.services.namespace])
    return [kiali.graph(graph, services=services), kiali.mesh_mtls({"status": await client.mesh_tls()})]
