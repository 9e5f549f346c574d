"""Flagger: definitions, controller, and its connection to Prometheus both ways."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import addons, observing
from meshflow.engine.questions.asking import CRD, Options, asked
from meshflow.gates import flagger, istio, queries
from meshflow.gates.model import Verdict
from meshflow.objects.reference import Obj, Reference
from meshflow.settings import Mesh

CRDS = ("alertproviders.flagger.app", "canaries.flagger.app", "metrictemplates.flagger.app")


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    source = next((item for _, _, item in mesh.chart_sources() if item.name == "flagger"), None)
    where = Reference("apps", "Deployment", source.namespace, source.release) if source else None
    deployment = await kube.get(where) if where else None
    verdicts = [
        istio.crds_established(await observing.items(kube, *CRD), expected=CRDS, gate="flagger.crds"),
        flagger.available(deployment),
    ]
    if deployment is not None:
        verdicts += await asked(flagger.METRICS, _metrics_server(kube, deployment))
        verdicts += await asked(flagger.SCRAPED, _flagger_scraped(kube, mesh))
    return verdicts


async def _metrics_server(kube: Kube, deployment: Obj) -> Verdict:
    server = flagger.server_of(deployment)
    if server is None or not server.service:
        return flagger.metrics_server(server, status=None)
    response = await kube.proxy(server.namespace, server.service, server.port, "-/ready")
    return flagger.metrics_server(server, status=response.status)


async def _flagger_scraped(kube: Kube, mesh: Mesh) -> Verdict:
    return flagger.scraped(await addons.prometheus(kube, mesh).query(queries.query("flagger_info")))
