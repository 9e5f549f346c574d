"""The gates by name: what each one looks at, put before the pure rules that judge it.

A question that an add-on did not answer is the verdict `error` of that gate and ends none of the others. When the
cluster itself does not answer, that is raised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from meshflow.clients.door import Question
from meshflow.clients.kube import Kube
from meshflow.engine import addons, observing
from meshflow.errors import InvalidInput, MeshflowError, Temporary
from meshflow.gates import flagger, gateway, injection, istio, kiali, model, mtls, observability, queries, rollout
from meshflow.gates.model import Verdict, Verdicts
from meshflow.mesh import evidence
from meshflow.mesh import injection as proxies
from meshflow.mesh import mtls as modes
from meshflow.objects.reference import Obj, Reference
from meshflow.settings import Mesh

Options = Mapping[str, Any]
Answer = Verdict | Sequence[Verdict]

ISTIO_NAMESPACE = "istio-system"
ISTIO_CRDS = (
    "authorizationpolicies.security.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
    "peerauthentications.security.istio.io",
    "requestauthentications.security.istio.io",
    "serviceentries.networking.istio.io",
    "sidecars.networking.istio.io",
    "virtualservices.networking.istio.io",
)
FLAGGER_CRDS = ("alertproviders.flagger.app", "canaries.flagger.app", "metrictemplates.flagger.app")
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


async def evaluate(kube: Kube, mesh: Mesh, name: str, options: Options) -> Verdicts:
    """Ask the gates of that name. InvalidInput for a name that is not in `GATES`; Unreachable when nobody answers."""
    if name not in GATES:
        raise InvalidInput(
            "no such gates", where="parameter", field="gates", value=name, way_out=f"Use {', '.join(GATES)}"
        )
    return Verdicts.of(await GATES[name](kube, mesh, options))


def could_not_ask(name: str, problem: Temporary) -> Verdicts:
    """The verdict of a whole round that met a cluster that does not answer."""
    return Verdicts.of(model.error(name, problem))


async def asked(gate: str, question: Awaitable[Answer]) -> list[Verdict]:
    """The answer, or the verdict `error` of that gate."""
    try:
        answer = await question
    except MeshflowError as problem:
        return [model.error(gate, problem)]
    return [answer] if isinstance(answer, Verdict) else list(answer)


async def _istio(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    deployments = await observing.items(kube, "apps/v1", "Deployment", namespace=ISTIO_NAMESPACE)
    webhooks = await observing.everything(kube, (observing.INJECTORS, observing.VALIDATORS))
    revision = mesh.istio.revision or proxies.DEFAULT_REVISION
    return [
        istio.crds_established(await observing.items(kube, *CRD), expected=ISTIO_CRDS),
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


async def _injection(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    """A namespace of a later phase may exist before that phase labels it: it counts from its first pod on."""
    names = {item.name for item in mesh.injection.namespaces}
    cluster = await observing.workloads(kube)
    used = {pod["metadata"].get("namespace") for pod in cluster.pods}
    return [
        injection.proxies(
            cluster.pods,
            namespaces=[
                item
                for item in cluster.namespaces
                if item["metadata"]["name"] in names
                and (item["metadata"]["name"] in used or proxies.wanted(item, {}).inject)
            ],
            version=mesh.istio.version,
            revisions=cluster.revisions,
        )
    ]


async def _gateway(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
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


async def _mtls_evidence(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    cluster = await observing.workloads(kube)
    names = {item.name for item in mesh.injection.namespaces}
    pods = [pod for pod in cluster.pods if pod["metadata"].get("namespace") in names and proxies.alive(pod)]
    gateways = {mesh.ingress.namespace, *_gateway_namespaces(mesh)}
    workloads = [pod for pod in pods if proxies.proxy_of(pod) and pod["metadata"]["namespace"] not in gateways]
    services = [item for item in await observing.items(kube, "v1", "Service") if item["metadata"]["namespace"] in names]
    found = evidence.from_objects(
        namespaces=[item for item in cluster.namespaces if item["metadata"]["name"] in names],
        pods=pods,
        services=services,
    )
    seen: tuple[evidence.Finding, ...] = ()
    requests = None
    if workloads:
        try:
            seen, requests = await _plaintext(kube, mesh)
        except MeshflowError as problem:
            return [mtls.blind(found, workloads=len(workloads), why=str(problem))]
    return [mtls.evidence([*found, *seen], workloads=len(workloads), requests=requests)]


async def _plaintext(kube: Kube, mesh: Mesh) -> tuple[tuple[evidence.Finding, ...], float | None]:
    prometheus = addons.prometheus(kube, mesh)
    requests = evidence.plaintext(await prometheus.query(queries.query("plaintext_requests")))
    connections = evidence.plaintext(await prometheus.query(queries.query("plaintext_connections")), what="connections")
    total = await prometheus.query(queries.query("mutual_tls_requests"))
    return (*requests, *connections), total[0].value if total else None


async def _mtls(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    policies = await observing.items(kube, "security.istio.io/v1", "PeerAuthentication")
    rules = await observing.items(kube, "networking.istio.io/v1", "DestinationRule")
    services = await observing.items(kube, "v1", "Service")
    names = {item.name for item in mesh.injection.namespaces}
    cluster = await observing.workloads(kube)
    owners = proxies.by_reference(cluster.workloads)
    answers: dict[str, tuple[modes.Effective, ...]] = {}
    for pod in cluster.pods:
        namespace = pod["metadata"].get("namespace", "")
        if namespace in names and proxies.alive(pod) and proxies.proxy_of(pod) and not _is_gateway(pod):
            owner = str(proxies.owner_of(pod, owners))
            answers[owner] = _effective(pod, namespace, policies)
    return [
        mtls.effective(answers) if answers else _mesh_wide(policies),
        mtls.clients(modes.conflicts(rules, servers=_servers(services, cluster.pods, policies)), rules=len(rules)),
    ]


def _effective(pod: Obj, namespace: str, policies: Sequence[Obj]) -> tuple[modes.Effective, ...]:
    metadata = pod["metadata"]
    return modes.effective(
        metadata.get("labels") or {},
        namespace=namespace,
        ports=_ports(pod),
        policies=policies,
        annotations=metadata.get("annotations") or {},
    )


def _mesh_wide(policies: Sequence[Obj]) -> Verdict:
    """Before there is a workload: what the first one will meet."""
    return mtls.effective(
        {
            "any workload": modes.effective({}, namespace="", ports=[80], policies=policies),
        }
    )


def _ports(pod: Obj) -> list[int]:
    containers = [item for item in pod["spec"].get("containers", []) if item["name"] != proxies.CONTAINER]
    return sorted({int(port["containerPort"]) for item in containers for port in item.get("ports") or []})


def _is_gateway(pod: Obj) -> bool:
    containers = {item["name"] for item in pod["spec"].get("containers", [])}
    return containers == {proxies.CONTAINER}


def _servers(services: Sequence[Obj], pods: Sequence[Obj], policies: Sequence[Obj]) -> dict[str, modes.Mode | None]:
    """The weakest mode behind each Service that has pods; None where one has no proxy."""
    found: dict[str, modes.Mode | None] = {}
    for service in services:
        selector, namespace = service["spec"].get("selector") or {}, service["metadata"]["namespace"]
        behind = [
            pod
            for pod in pods
            if pod["metadata"].get("namespace") == namespace
            and proxies.alive(pod)
            and selector
            and selector.items() <= (pod["metadata"].get("labels") or {}).items()
        ]
        if behind:
            host = modes.full_name(service["metadata"]["name"], namespace=namespace)
            found[host] = _weakest([_mode(pod, namespace, policies) for pod in behind])
    return found


def _mode(pod: Obj, namespace: str, policies: Sequence[Obj]) -> modes.Mode | None:
    if proxies.proxy_of(pod) is None:
        return None
    return _weakest([item.mode for item in _effective(pod, namespace, policies)]) if _ports(pod) else modes.Mode.STRICT


def _weakest(found: Sequence[modes.Mode | None]) -> modes.Mode | None:
    order = (None, modes.Mode.DISABLE, modes.Mode.PERMISSIVE, modes.Mode.STRICT)
    return min(found, key=order.index)


def _gateway_namespaces(mesh: Mesh) -> set[str]:
    return {source.namespace for _, _, source in mesh.chart_sources() if source.name == "gateway"}


async def _observability(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
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


async def _verify(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    services = await _called_services(kube, mesh)
    return [
        *await _observability(kube, mesh, options),
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


async def _flagger(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
    source = next(item for _, _, item in mesh.chart_sources() if item.chart == "flagger/flagger")
    deployment = await kube.get(Reference("apps", "Deployment", source.namespace, source.release))
    verdicts = [
        istio.crds_established(await observing.items(kube, *CRD), expected=FLAGGER_CRDS, gate="flagger.crds"),
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


async def _preflight(kube: Kube, mesh: Mesh, options: Options) -> list[Verdict]:
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


GATES: Mapping[str, Callable[[Kube, Mesh, Options], Awaitable[list[Verdict]]]] = {
    "istio": _istio,
    "injection": _injection,
    "gateway": _gateway,
    "mtls_evidence": _mtls_evidence,
    "mtls": _mtls,
    "observability": _observability,
    "flagger": _flagger,
    "preflight": _preflight,
    "verify_observability": _verify,
}
"""Name → gates. The names are those of the phases, and of what stands between them."""
