"""Between releases: where the traffic of the services goes."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import Options
from meshflow.gates import rollout
from meshflow.gates.model import Verdict
from meshflow.settings import Mesh

ROUTES = ("networking.istio.io/v1", "VirtualService")


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    """The routes are read first: a release that begins in between is then seen as one."""
    found = await observing.items(kube, *ROUTES, namespace=mesh.services.namespace)
    routes = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in found}
    canaries = await observing.items(kube, *observing.CANARY, namespace=mesh.services.namespace)
    return [rollout.traffic(canaries, routes=routes)]
