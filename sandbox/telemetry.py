"""From requests to series: what the proxies at both ends of a leg would count, under Istio's names and labels.

The proxy of the caller reports as `source` (it does not know how the connection was secured: `unknown`), the one of
the destination as `destination`, and only this one measures durations here: at the caller they would be the same, for
twice the series. Somebody without a proxy counts nothing, which is why a canary outside the mesh has
no success rate.
"""

from __future__ import annotations

from typing import NamedTuple

from sandbox import latency, topology
from sandbox.flows import Security
from sandbox.metrics import Labels, Metrics, Page, Target, sorted_labels
from sandbox.topology import Pod, Service, Topology, Workload

PODS_JOB = "kubernetes-pods"
TCP_REQUESTS = 10  # requests that one TCP connection stands for
TCP_BYTES = 4096.0  # per such connection, each way


class Behaviour(NamedTuple):
    """How one image answers: the share of 5xx answers (0 to 1), and its latency in milliseconds."""

    error_rate: float = 0.0
    latency_p50: float = 25.0
    latency_p99: float = 120.0


class Leg(NamedTuple):
    """Requests from one caller to the pods of one workload (none: nobody is ready there)."""

    caller: Workload | None
    service: Service
    pods: tuple[Pod, ...]
    rps: float
    security: Security
    tcp: bool
    mirrored: bool = False


class Answer(NamedTuple):
    """A part of a leg's requests that end alike."""

    share: float
    code: str
    flags: str
    arrives: bool  # whether the destination sees the request
    shape: latency.Shape


def pod_target(pod: Pod) -> Target:
    """The scrape target of a pod: its proxy's merged metrics, or the program's own."""
    labels = {name: value for name, value in pod.labels.items() if name in {"app", "version"}}
    return Target(PODS_JOB, f"{pod.ip}:15020", pod.namespace, pod.name, sorted_labels(labels))


def answers(leg: Leg, behaviour: Behaviour) -> list[Answer]:
    quick = latency.shape(1.0, 4.0)
    if not leg.pods:
        return [Answer(1.0, "503", "UH", False, quick)]
    if leg.security == Security.REFUSED:
        return [Answer(1.0, "503", "UF,URX", False, quick)]
    shape = latency.shape(behaviour.latency_p50, behaviour.latency_p99)
    found = [
        Answer(1 - behaviour.error_rate, "200", "-", True, shape),
        Answer(behaviour.error_rate, "500", "-", True, shape),
    ]
    return [answer for answer in found if answer.share > 0]


def _labels(leg: Leg, answer: Answer) -> dict[str, str]:
    destination = leg.pods[0] if leg.pods else None
    source = leg.caller.pods[0] if leg.caller else None
    mutual = leg.security == Security.MUTUAL
    return {
        **_side("source", source, mutual),
        **_side("destination", destination, mutual),
        "destination_service": leg.service.host,
        "destination_service_name": leg.service.name,
        "destination_service_namespace": leg.service.namespace,
        "response_flags": answer.flags,
    }


def _side(side: str, pod: Pod | None, mutual: bool) -> dict[str, str]:
    labels = pod.labels if pod else {}
    app = labels.get("app") or labels.get("app.kubernetes.io/name") or "unknown"
    version = labels.get("version") or labels.get("app.kubernetes.io/version") or "latest"
    principal = f"spiffe://cluster.local/ns/{pod.namespace}/sa/{pod.account}" if pod and mutual else "unknown"
    return {
        f"{side}_workload": pod.workload if pod else "unknown",
        f"{side}_workload_namespace": pod.namespace if pod else "unknown",
        f"{side}_app": app,
        f"{side}_version": version if pod else "unknown",
        f"{side}_canonical_service": labels.get("service.istio.io/canonical-name") or app,
        f"{side}_canonical_revision": version if pod else "unknown",
        f"{side}_principal": principal,
    }


def _record_tcp(page: Page, labels: Labels, connections: float) -> None:
    for name in ("istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total"):
        page.add(name, labels, connections)
    for name in ("istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total"):
        page.add(name, labels, connections * TCP_BYTES)


def record(metrics: Metrics, leg: Leg, answer: Answer, requests: float) -> None:
    """Count `requests` that ended as `answer` at both ends, evenly over their pods."""
    labels = _labels(leg, answer)
    senders = [pod for pod in leg.caller.pods if pod.proxied] if leg.caller and not leg.mirrored else []
    for pod in senders:
        ends = {**labels, "reporter": "source", "connection_security_policy": "unknown"}
        _count(metrics.page(pod_target(pod)), leg, answer, ends, requests / len(senders))
    receivers = leg.pods if answer.arrives else ()
    for pod in receivers:
        if pod.proxied:
            ends = {**labels, "reporter": "destination", "connection_security_policy": str(leg.security)}
            _count(metrics.page(pod_target(pod)), leg, answer, ends, requests / len(receivers))


def keep_pages(metrics: Metrics, found: Topology) -> None:
    """One page for each pod that is scraped, with what its proxy and its program always show."""
    scraped = [pod for pod in found.pods if pod.scraped and pod.ip]
    metrics.keep(PODS_JOB, map(pod_target, scraped))
    for pod in scraped:
        page = metrics.page(pod_target(pod))
        page.up = pod.ready
        page.program = metrics.program(pod.namespace, pod.workload)
        if topology.basename(pod.image) == "pilot":
            _show_pilot(page, topology.tag_of(pod.image), proxies=sum(other.proxied for other in found.pods))
        if pod.proxied:
            page.set("istio_build", 1.0, component="proxy", tag=pod.proxy_version)
            page.set("envoy_cluster_upstream_cx_active", 1.0, cluster_name="xds-grpc")


def _show_pilot(page: Page, version: str, *, proxies: int) -> None:
    """What istiod exposes itself."""
    page.set("istio_build", 1.0, component="pilot", tag=version)
    page.set("pilot_info", 1.0, version=version)
    page.set("pilot_xds", float(proxies), version=version)
    page.set("pilot_total_xds_rejects", 0.0)
    page.set("galley_validation_failed", 0.0)
    for kind in ("cds", "eds", "lds", "rds"):
        page.set("pilot_xds_pushes", float(proxies), type=kind)


def _count(page: Page, leg: Leg, answer: Answer, labels: dict[str, str], requests: float) -> None:
    if leg.tcp:
        _record_tcp(page, sorted_labels({**labels, "request_protocol": "tcp"}), requests / TCP_REQUESTS)
        return
    coded = sorted_labels({**labels, "request_protocol": "http", "response_code": answer.code})
    page.add("istio_requests_total", coded, requests)
    if labels["reporter"] == "destination":
        page.observe("istio_request_duration_milliseconds", coded, requests, answer.shape)
