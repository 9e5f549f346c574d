"""Before a release: the control plane, the Canary, the sidecars of what runs."""

from __future__ import annotations

from collections.abc import Sequence

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from meshflow.engine.questions.asking import ISTIO_NAMESPACE, Options
from meshflow.gates import istio, rollout
from meshflow.gates.model import Verdict
from meshflow.mesh import injection as proxies
from meshflow.mesh import restart
from meshflow.objects.reference import Obj, Reference
from meshflow.settings import Mesh


async def ask(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    """Before a release of `options["service"]`, which `options["workloads"]` run and `options["canary"]` watches."""
    service = mesh.service(options["service"])
    deployments = await observing.items(kube, "apps/v1", "Deployment", namespace=ISTIO_NAMESPACE)
    revision = mesh.istio.revision or proxies.DEFAULT_REVISION
    namespace = await kube.get(Reference("", "Namespace", None, service.namespace))
    name = options["canary"]
    canary = await kube.get(Reference("flagger.app", "Canary", service.namespace, name)) if name else None
    workloads = [found for item in options["workloads"] if (found := await kube.get(Reference(*item)))]
    pods = await observing.items(kube, "v1", "Pod", namespace=service.namespace)
    webhooks = await observing.everything(kube, (observing.INJECTORS, observing.VALIDATORS))
    return [
        istio.available(deployments, version=mesh.istio.version, revision=revision),
        istio.bundles_set(webhooks),
        rollout.canary_idle(canary, watched=bool(name), supersede=bool(options.get("supersede"))),
        rollout.primary_ready(canary, workloads[1] if canary and len(workloads) > 1 else None),
        rollout.sidecar_present(namespace, _template(workloads), pods=[pod for pod in pods if _of(workloads, pod)]),
    ]


def _template(workloads: Sequence[Obj]) -> Obj:
    """What a new pod is made from; nothing to go by before the first installation."""
    return workloads[0]["spec"]["template"] if workloads else {}


def _of(workloads: Sequence[Obj], pod: Obj) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return any(restart.selects(workload["spec"]["selector"], labels) for workload in workloads)
