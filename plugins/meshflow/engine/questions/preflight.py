"""Before a release: the control plane, the Canary, the sidecars of what runs."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import ISTIO_NAMESPACE, Options
from meshflow.gates import istio, rollout
from meshflow.gates.model import Verdict
from meshflow.mesh import injection as proxies
from meshflow.objects.reference import Reference
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    """Before a release of `options["service"]`."""
    service = mesh.service(options["service"])
    deployments = await observing.items(kube, "apps/v1", "Deployment", namespace=ISTIO_NAMESPACE)
    revision = mesh.istio.revision or proxies.DEFAULT_REVISION
    namespace = await kube.get(Reference("", "Namespace", None, service.namespace))
    canary = await kube.get(Reference("flagger.app", "Canary", service.namespace, service.name))
    pods = [
        pod
        for pod in await observing.items(kube, "v1", "Pod", namespace=service.namespace)
        if (pod["metadata"].get("labels") or {}).get("app") in (service.name, f"{service.name}-primary")
    ]
    webhooks = await observing.everything(kube, (observing.INJECTORS, observing.VALIDATORS))
    return [
        istio.available(deployments, version=mesh.istio.version, revision=revision),
        istio.bundles_set(webhooks),
        rollout.canary_idle(canary, supersede=bool(options.get("supersede"))),
        rollout.sidecar_present(namespace, {"metadata": {}, "spec": {}}, pods=pods),
    ]
