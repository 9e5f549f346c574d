"""Whether the add-ons, beyond working, see every service of the application."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from meshflow.clients.kube import Kube
from meshflow.engine import addons
from meshflow.engine.questions import observability as working
from meshflow.engine.questions.asking import Options, asked
from meshflow.errors import MeshflowError
from meshflow.gates import kiali, model, observability, queries
from meshflow.gates.model import Verdict
from meshflow.settings import Mesh, service_names
from meshflow.sources import render


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    works = await working.ask(kube, mesh, options)
    try:
        services = await asyncio.to_thread(called_services, mesh)
    except MeshflowError as problem:  # manifests that nobody can read say nothing about the mesh
        return [*works, model.error(observability.FRESH, problem), model.error(kiali.GRAPH, problem)]
    return [
        *works,
        *await asked(observability.FRESH, _requests_fresh(kube, mesh, services)),
        *await asked(kiali.GRAPH, _kiali_graph(kube, mesh, services)),
    ]


def called_services(mesh: Mesh) -> list[str]:
    """The targets of the services that are declared with a Canary: they answer requests.

    Declared, not found: one that is gone from the cluster is what this is to see.
    """
    names = service_names(folder=mesh.manifests / mesh.services.path)
    objects = [item.obj for name in names for item in render.service(mesh, name).objects]
    return sorted(obj["spec"]["targetRef"]["name"] for obj in objects if obj["kind"] == "Canary")


async def _requests_fresh(kube: Kube, mesh: Mesh, services: Sequence[str]) -> Verdict:
    query = queries.query("requests_age", namespace=mesh.services.namespace)
    return observability.requests_fresh(await addons.prometheus(kube, mesh).query(query), services=services)


async def _kiali_graph(kube: Kube, mesh: Mesh, services: Sequence[str]) -> list[Verdict]:
    client = await addons.kiali(kube, mesh)
    graph = await client.graph([mesh.services.namespace])
    return [kiali.graph(graph, services=services), kiali.mesh_mtls({"status": await client.mesh_tls()})]
