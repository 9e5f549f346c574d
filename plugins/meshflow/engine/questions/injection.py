"""Whether every pod that should have one has a proxy of the control plane's version."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import Options
from meshflow.gates import injection
from meshflow.gates.model import Verdict
from meshflow.mesh import injection as proxies
from meshflow.mesh import restart
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    """A namespace of a later phase may exist before that phase labels it: it counts from its first pod on."""
    names = {item.name for item in mesh.injection.namespaces}
    cluster = await observing.workloads(kube, namespaces=names)
    used = {pod["metadata"].get("namespace") for pod in cluster.pods}
    reported = restart.plan(cluster, version=mesh.istio.version).reported
    return [
        injection.proxies(
            cluster.pods,
            namespaces=[
                item
                for item in cluster.namespaces
                if item["metadata"]["name"] in used or proxies.wanted(item, {}).inject
            ],
            version=mesh.istio.version,
            revisions=cluster.revisions,
            left=[f"{it.finding.reference}, {it.reason}" for it in reported],
        )
    ]
