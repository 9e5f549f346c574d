"""The control plane: definitions, istiod, its version, its webhooks."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import CRD, ISTIO_NAMESPACE, Options, asked
from meshflow.gates import istio
from meshflow.gates.model import Verdict
from meshflow.mesh import injection as proxies
from meshflow.settings import Mesh

CRDS = (
    "authorizationpolicies.security.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
    "peerauthentications.security.istio.io",
    "requestauthentications.security.istio.io",
    "serviceentries.networking.istio.io",
    "sidecars.networking.istio.io",
    "virtualservices.networking.istio.io",
)


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    deployments = await observing.items(kube, "apps/v1", "Deployment", namespace=ISTIO_NAMESPACE)
    webhooks = await observing.everything(kube, (observing.INJECTORS, observing.VALIDATORS))
    revision = mesh.istio.revision or proxies.DEFAULT_REVISION
    return [
        istio.crds_established(await observing.items(kube, *CRD), expected=CRDS),
        istio.available(deployments, version=mesh.istio.version, revision=revision),
        *await asked(istio.VERSION, _istiod_version(kube, mesh)),
        istio.bundles_set(webhooks),
    ]


async def _istiod_version(kube: Kube, mesh: Mesh) -> Verdict:
    service = f"istiod-{mesh.istio.revision}" if mesh.istio.revision else "istiod"
    response = await kube.proxy(ISTIO_NAMESPACE, service, 15014, "version")
    answer = response.body.decode("utf-8", "replace")
    try:
        return istio.version_answers(response.json(), version=mesh.istio.version)
    except ValueError:  # older versions answer in plain text
        return istio.version_answers(answer, version=mesh.istio.version)
