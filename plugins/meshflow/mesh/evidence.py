"""What speaks against taking mutual TLS only: what would break, before it breaks.

Two sources. Traffic, as the servers' proxies counted it (`plaintext`): the proof, but only for callers that called
within the window. And the objects (`from_objects`): callers without a proxy, and constructions that bypass it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from meshflow.mesh import injection, mtls
from meshflow.objects.reference import Obj, Reference

HTTP_PROBES = ("httpGet", "tcpSocket", "grpc")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
REWRITTEN = "/app-health/"
"""How the path of a probe begins that the injector made go by way of the agent, which no mutual TLS stands before."""


class Sample(Protocol):
    """One answer of Prometheus: the labels of a series and its value."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def value(self) -> float: ...


class Kind(StrEnum):
    """What was found; one sentence each in `SENTENCES`."""

    PLAINTEXT = "plaintext"
    NO_PROXY = "no_proxy"
    OPTED_OUT = "opted_out"
    HEADLESS = "headless"
    PROBE = "probe"
    BYPASS = "bypass"


SENTENCES: Mapping[Kind, str] = {
    Kind.PLAINTEXT: "Plain text arrived in the window: its sender would be refused.",
    Kind.NO_PROXY: "A pod lacks the proxy that it should have: what it sends to the mesh would be refused.",
    Kind.OPTED_OUT: "A pod has no proxy by its own wish: it must not call the mesh, and traffic would show if it did.",
    Kind.HEADLESS: "A headless Service's clients call pods by address, which auto-mTLS knows only for declared ports.",
    Kind.PROBE: "The kubelet asks this port in plain text, and the probe is not rewritten to go around.",
    Kind.BYPASS: "The proxy does not see this port, so nothing protects it.",
}

BLOCKING = frozenset({Kind.PLAINTEXT, Kind.NO_PROXY, Kind.PROBE})


class Finding(NamedTuple):
    """One thing that speaks against STRICT. `value` is requests or connections in the window, 0 for objects."""

    kind: Kind
    subject: str
    message: str
    value: float = 0.0

    @property
    def blocks(self) -> bool:
        """Whether something would stop working; the others are to be known, not to be feared."""
        return self.kind in BLOCKING

    def __str__(self) -> str:
        return f"{self.kind.value} {self.subject}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "kind": self.kind.value, "blocks": self.blocks}


def plaintext(samples: Iterable[Sample], *, what: str = "requests") -> tuple[Finding, ...]:
    """Series of the destinations' reporters that did not use mutual TLS, those with a count above zero.

    A value that is no number is left out: it says nothing, and whether there was any data is the gate's question.
    """
    return tuple(
        Finding(Kind.PLAINTEXT, _pair(sample.labels), f"{sample.value:.0f} {what} in plain text", sample.value)
        for sample in sorted(samples, key=lambda item: _pair(item.labels))
        if sample.labels.get("connection_security_policy") != "mutual_tls" and sample.value > 0
    )


def from_objects(
    *, namespaces: Sequence[Obj], pods: Sequence[Obj], services: Sequence[Obj] = ()
) -> tuple[Finding, ...]:
    """What the objects of the mesh's namespaces say, in a fixed order. Pods that are finished or going are left out."""
    known = {item["metadata"]["name"]: item for item in namespaces}
    found: list[Finding] = []
    for pod in sorted(pods, key=lambda item: (item["metadata"].get("namespace", ""), item["metadata"]["name"])):
        namespace = known.get(pod["metadata"].get("namespace", ""))
        if namespace is not None and injection.alive(pod):
            found += _of_pod(pod, namespace)
    found += (finding for service in services if (finding := _headless(service)))
    return tuple(found)


def _of_pod(pod: Obj, namespace: Obj) -> Iterator[Finding]:
    reference = str(Reference.of(pod))
    if injection.proxy_of(pod) is None:
        want = injection.wanted(namespace, pod)
        kind = Kind.NO_PROXY if want.inject else Kind.OPTED_OUT
        yield Finding(kind, reference, f"it has no proxy ({want.why})")
        return
    annotations = pod["metadata"].get("annotations") or {}
    past = [str(port or "any") for port in mtls.ports(pod, policies=()) if mtls.around(port, annotations)]
    if past:
        yield Finding(Kind.BYPASS, reference, f"ports that go around the proxy: {', '.join(past)}")
    yield from _probes(pod, reference, annotations)


def _probes(pod: Obj, reference: str, annotations: Mapping[str, str]) -> Iterator[Finding]:
    spec = pod.get("spec") or {}
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        for name in PROBES:
            probe = container.get(name) or {}
            kind = next((kind for kind in HTTP_PROBES if kind in probe), None)
            if kind is None or container["name"] == injection.CONTAINER:
                continue
            if not _goes_around(probe[kind], container, annotations):
                port = probe[kind].get("port")
                yield Finding(Kind.PROBE, reference, f"{container['name']}.{name} asks port {port} by {kind}")


def _goes_around(action: Obj, container: Obj, annotations: Mapping[str, str]) -> bool:
    """Whether the kubelet's question never meets mutual TLS: it was rewritten, or its port bypasses the proxy."""
    named = {port.get("name"): port["containerPort"] for port in container.get("ports") or []}
    port = str(named.get(action.get("port"), action.get("port")))
    if str(action.get("path", "")).startswith(REWRITTEN):
        return True
    return port.isdigit() and bool(mtls.around(int(port), annotations))


def _headless(service: Obj) -> Finding | None:
    spec = service.get("spec") or {}
    if spec.get("clusterIP") != "None" or not spec.get("selector"):
        return None
    unclear = [
        port for port in spec.get("ports") or [] if not port.get("appProtocol") and "-" not in (port.get("name") or "")
    ]
    ports = ", ".join(str(port["port"]) for port in unclear)
    message = f"port {ports} does not say its protocol" if unclear else "clients call its pods by their own names"
    return Finding(Kind.HEADLESS, str(Reference.of(service)), message)


def _pair(labels: Mapping[str, str]) -> str:
    source = f"{labels.get('source_workload_namespace', '?')}/{labels.get('source_workload', '?')}"
    return f"{source} → {labels.get('destination_workload_namespace', '?')}/{labels.get('destination_workload', '?')}"
