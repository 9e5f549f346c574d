"""The gateway through which clients come: its address, and whether it answers."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import Options, asked
from meshflow.gates import gateway
from meshflow.gates.model import Verdict
from meshflow.objects.reference import Reference
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    service = await kube.get(Reference("", "Service", mesh.ingress.namespace, mesh.ingress.service))
    nodes = await observing.items(kube, "v1", "Node")
    return [
        gateway.has_address(service, nodes=nodes, port=mesh.ingress.port, asked_for=mesh.ingress.host),
        *await asked(gateway.ANSWERS, _gateway_answers(kube, mesh)),
    ]


async def _gateway_answers(kube: Kube, mesh: Mesh) -> Verdict:
    ingress = mesh.ingress
    response = await kube.proxy(ingress.namespace, ingress.service, 15021, "healthz/ready")
    return gateway.answers(response.status, asked=f"{ingress.service}.{ingress.namespace}:15021/healthz/ready")
