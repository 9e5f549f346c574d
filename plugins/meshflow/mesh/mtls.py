"""What a workload's proxy asks of its callers, port by port, and who decided it.

PeerAuthentication has four levels; the narrowest that says something wins:

    port       portLevelMtls of the policy that selects the workload; the key is the container's port, not the Service's
    workload   a policy with a selector, in the workload's namespace (in the root namespace such a one is ignored)
    namespace  a policy without a selector in the workload's namespace; its portLevelMtls is ignored
    mesh       a policy without a selector in the root namespace

At each level only the oldest policy counts (of equally old ones the first by name). UNSET, like no mode at all, leaves
the question to the next level; when all do, the answer is PERMISSIVE. What annotations lead around the proxy is plain
text whatever policies say. A process may listen on ports that nobody declared, so `ports` has one for all others.

What a client sends is decided elsewhere: by auto-mTLS, unless a DestinationRule's `tls`
says otherwise, and then the two can contradict each other (`conflicts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from meshflow.mesh.injection import CONTAINER as PROXY
from meshflow.objects.reference import Obj, Reference

ROOT_NAMESPACE = "istio-system"
EXCLUDED = "traffic.sidecar.istio.io/excludeInboundPorts"
INCLUDED = "traffic.sidecar.istio.io/includeInboundPorts"
INTERCEPTION = "sidecar.istio.io/interceptionMode"
OWN_PORTS = frozenset({15020, 15021, 15090})
"""Of the proxy itself: with the CNI node agent every pod is annotated to exclude them."""

OTHERS = 0
"""Stands for every port that nobody declared."""

DEFAULT = "Istio's default"


class Mode(StrEnum):
    """What a port accepts; one sentence each in `SENTENCES`."""

    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"
    DISABLE = "DISABLE"


SENTENCES: Mapping[Mode, str] = {
    Mode.STRICT: "Mutual TLS and nothing else.",
    Mode.PERMISSIVE: "Mutual TLS and plain text.",
    Mode.DISABLE: "Plain text only.",
}


class Effective(NamedTuple):
    """The answer for one port (or `OTHERS`).

    `decided_by` names the policy and its level; `ignored` the newer duplicates there.
    """

    port: int
    mode: Mode
    decided_by: str
    ignored: tuple[str, ...] = ()


class Conflict(NamedTuple):
    """A DestinationRule whose clients speak something that the server does not accept."""

    rule: str
    host: str
    where: str  # dotted path in the rule's spec
    message: str


class _Level(NamedTuple):
    policy: Obj | None
    ignored: tuple[str, ...]


def effective(
    labels: Mapping[str, str],
    *,
    namespace: str,
    ports: Sequence[int],
    policies: Iterable[Obj],
    annotations: Mapping[str, str] | None = None,
    root_namespace: str = ROOT_NAMESPACE,
) -> tuple[Effective, ...]:
    """The mode of each container port of the workload whose pods have these labels (and annotations)."""
    policies = list(policies)
    mesh = _oldest(item for item in policies if _namespace(item) == root_namespace and not _selector(item))
    own = [item for item in policies if _namespace(item) == namespace != root_namespace]
    wide = _oldest(item for item in own if not _selector(item))
    narrow = _oldest(item for item in own if _selects(item, labels))
    return tuple(
        Effective(port, Mode.DISABLE, f"annotation {past}: the proxy does not see it")
        if (past := around(port, annotations or {}))
        else _answer(port, narrow=narrow, wide=wide, mesh=mesh)
        for port in ports
    )


def ports(pod: Obj, *, policies: Iterable[Obj]) -> tuple[int, ...]:
    """The ports of a pod to ask about: declared, named by its own policies or annotations, and `OTHERS`."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    labels, namespace = metadata.get("labels") or {}, metadata.get("namespace", "")
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    declared = {
        int(port["containerPort"])
        for container in containers
        if container["name"] != PROXY
        for port in container.get("ports") or []
    }
    named = {
        int(port)
        for item in policies
        if _namespace(item) == namespace and _selects(item, labels)
        for port in (item.get("spec") or {}).get("portLevelMtls") or {}
    }
    excluded = _numbers((metadata.get("annotations") or {}).get(EXCLUDED)) - OWN_PORTS
    return (*sorted(declared | named | excluded), OTHERS)


def around(port: int, annotations: Mapping[str, str]) -> str:
    """The annotation that leads a port around the proxy, empty when none does."""
    if annotations.get(INTERCEPTION) == "NONE":
        return INTERCEPTION
    included = annotations.get(INCLUDED, "*").strip()
    if included != "*":
        return "" if port in _numbers(included) else INCLUDED
    return EXCLUDED if port in _numbers(annotations.get(EXCLUDED)) else ""


def conflicts(rules: Iterable[Obj], *, servers: Mapping[str, Mode | None]) -> tuple[Conflict, ...]:
    """The rules that contradict a server. `servers` maps full host names to their mode, None for one without a proxy.

    A rule for a host that is not in `servers` is not judged: it may be outside of the mesh.
    """
    return tuple(
        Conflict(str(Reference.of(rule)), host, where, message)
        for rule in rules
        for where, client in _tls(rule)
        for host, server in sorted(servers.items())
        if _meant(rule, host) and (message := _contradiction(client, server))
    )


def full_name(host: str, *, namespace: str) -> str:
    """A short host as Istio completes it: with the namespace of the rule that names it. `*` is all hosts."""
    return host if "." in host or host == "*" else f"{host}.{namespace}.svc.cluster.local"


def _answer(port: int, *, narrow: _Level, wide: _Level, mesh: _Level) -> Effective:
    by_port = ((narrow.policy or {}).get("spec") or {}).get("portLevelMtls") or {}
    own_port = by_port.get(port) or by_port.get(str(port))
    for level, name, block in (
        (narrow, f"port {port}", own_port),
        (narrow, "workload", _block(narrow)),
        (wide, "namespace", _block(wide)),
        (mesh, "mesh", _block(mesh)),
    ):
        mode = (block or {}).get("mode", "UNSET")
        if level.policy is not None and mode != "UNSET":
            return Effective(port, Mode(mode), f"{Reference.of(level.policy)} ({name})", level.ignored)
    return Effective(port, Mode.PERMISSIVE, DEFAULT)


def _oldest(policies: Iterable[Obj]) -> _Level:
    order = sorted(
        policies, key=lambda item: (item["metadata"].get("creationTimestamp") or "", item["metadata"]["name"])
    )
    return _Level(order[0] if order else None, tuple(str(Reference.of(item)) for item in order[1:]))


def _block(level: _Level) -> Obj:
    return ((level.policy or {}).get("spec") or {}).get("mtls") or {}


def _selector(policy: Obj) -> dict[str, str]:
    return ((policy.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}


def _namespace(policy: Obj) -> str:
    return str(policy["metadata"].get("namespace", ""))


def _selects(policy: Obj, labels: Mapping[str, str]) -> bool:
    return bool(_selector(policy)) and _selector(policy).items() <= labels.items()


def _numbers(text: str | None) -> frozenset[int]:
    return frozenset(int(part) for part in (text or "").split(",") if part.strip().isdigit())


def _tls(rule: Obj) -> Iterator[tuple[str, str]]:
    """Every tls mode that the rule sets, with its place."""
    spec = rule.get("spec") or {}
    policies = [("trafficPolicy", spec.get("trafficPolicy"))]
    policies += [
        (f"subsets[{item['name']}].trafficPolicy", item.get("trafficPolicy")) for item in spec.get("subsets") or []
    ]
    for where, policy in policies:
        if mode := ((policy or {}).get("tls") or {}).get("mode"):
            yield f"{where}.tls.mode", mode
        for item in (policy or {}).get("portLevelSettings") or []:
            if mode := (item.get("tls") or {}).get("mode"):
                yield f"{where}.portLevelSettings[{(item.get('port') or {}).get('number')}].tls.mode", mode


def _meant(rule: Obj, host: str) -> bool:
    wanted = full_name(rule["spec"]["host"], namespace=_namespace(rule))
    return host.endswith(wanted[1:]) if wanted.startswith("*") else host == wanted


def _contradiction(client: str, server: Mode | None) -> str:
    if client == "ISTIO_MUTUAL" and (server is None or server is Mode.DISABLE):
        return "clients speak mutual TLS, the server " + ("has no proxy" if server is None else "takes plain text only")
    if client != "ISTIO_MUTUAL" and server is Mode.STRICT:
        said = "plain text" if client == "DISABLE" else f"TLS of their own ({client})"
        return f"clients speak {said}, the server takes mutual TLS only: they get 503"
    return ""
