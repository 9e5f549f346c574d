"""Whether Prometheus, Grafana and Kiali work."""

from __future__ import annotations

from meshflow.clients.door import Question
from meshflow.clients.kube import Kube
from meshflow.engine import addons
from meshflow.engine.questions.asking import Options, asked
from meshflow.gates import kiali, observability
from meshflow.gates.model import Verdict
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    return [
        *await asked(observability.READY, _prometheus_ready(kube, mesh)),
        *await asked(observability.TARGETS, _targets(kube, mesh)),
        *await asked(observability.GRAFANA, _grafana(kube, mesh)),
        *await asked(kiali.STATUS, _kiali_status(kube, mesh)),
    ]


async def _prometheus_ready(kube: Kube, mesh: Mesh) -> Verdict:
    response = await addons.door(kube, mesh.prometheus, name="Prometheus").ask(Question("-/ready"))
    return observability.prometheus_ready(response.status)


async def _targets(kube: Kube, mesh: Mesh) -> Verdict:
    targets = await addons.prometheus(kube, mesh).targets()
    return observability.targets_up(
        [
            {
                "labels": {**item.labels, "job": item.job},
                "health": item.health,
                "scrapeUrl": item.url,
                "lastError": item.error,
            }
            for item in targets
        ]
    )


async def _grafana(kube: Kube, mesh: Mesh) -> list[Verdict]:
    grafana = await addons.grafana(kube, mesh)
    sources = await grafana.datasources()
    checked = {item.uid: await grafana.datasource_health(item.uid) for item in sources}
    health = {uid: {"status": "OK" if it.ok else "ERROR", "message": it.message} for uid, it in checked.items()}
    return [
        observability.grafana_healthy(await grafana.health()),
        observability.datasource_healthy([item._asdict() for item in sources], health=health),
    ]


async def _kiali_status(kube: Kube, mesh: Mesh) -> Verdict:
    return kiali.status(await (await addons.kiali(kube, mesh)).status())
