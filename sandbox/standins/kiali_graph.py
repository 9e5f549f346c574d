"""From the traffic of the last moment to Kiali's graph, and from policies to its words on mutual TLS. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.traffic import Edge

Obj = dict[str, Any]

ENABLED, PARTLY, NOT, DISABLED = "MTLS_ENABLED", "MTLS_PARTIALLY_ENABLED", "MTLS_NOT_ENABLED", "MTLS_DISABLED"


def elements(edges: Iterable[Edge], namespaces: set[str]) -> Obj:
    """Nodes and edges of the workload graph, as far as one end is in these namespaces."""
    nodes: dict[tuple[str, str], Obj] = {}
    drawn = []
    for edge in edges:
        if edge.rps <= 0 or not {edge.source_namespace, edge.namespace} & namespaces:
            continue
        source = _node(nodes, edge.source_namespace, edge.source, service="", inside=namespaces)
        target = _node(nodes, edge.namespace, edge.workload, service=edge.service, inside=namespaces)
        drawn.append({"data": _edge(edge, source, target)})
    return {"nodes": [{"data": node} for node in nodes.values()], "edges": drawn}


def _node(nodes: dict[tuple[str, str], Obj], namespace: str, workload: str, *, service: str, inside: set[str]) -> str:
    key = (namespace, workload)
    node = nodes.setdefault(
        key,
        {
            "id": _id("node", *key),
            "nodeType": "unknown" if workload == "unknown" else "workload",
            "cluster": "Kubernetes",
            "namespace": namespace,
            "workload": workload,
            "app": workload,
            "destServices": [],
        },
    )
    if namespace not in inside:
        node["isOutside"] = True
    destination = {"cluster": "Kubernetes", "namespace": namespace, "name": service}
    if service and destination not in node["destServices"]:
        node["destServices"].append(destination)
    return str(node["id"])


def _edge(edge: Edge, source: str, target: str) -> Obj:
    protocol = "tcp" if edge.protocol == "tcp" else "http"
    rates = {protocol: f"{edge.rps:.2f}"}
    if protocol == "http" and edge.errors:
        rates |= {"http5xx": f"{edge.errors:.2f}", "httpPercentErr": f"{100 * edge.errors / edge.rps:.1f}"}
    data: Obj = {
        "id": _id("edge", source, target, protocol),
        "source": source,
        "target": target,
        "traffic": {"protocol": protocol, "rates": rates},
    }
    return {**data, "isMTLS": "100"} if edge.mutual_tls else data


def tls(policies: Sequence[Obj], rules: Sequence[Obj]) -> str:
    """Kiali's word for a namespace (or, of the root namespace, for the mesh): what its policy without selector says.

    STRICT is enabled (auto mTLS provides the client's side, unless a rule for all hosts turns it off), PERMISSIVE or a
    rule for mutual TLS alone partly.
    """
    whole = [p for p in policies if not ((p.get("spec") or {}).get("selector") or {}).get("matchLabels")]
    whole.sort(key=lambda policy: policy["metadata"].get("creationTimestamp", ""))
    mode = ((whole[0].get("spec") or {}).get("mtls") or {}).get("mode", "UNSET") if whole else "UNSET"
    wide = [rule["spec"] for rule in rules if rule["spec"].get("host", "").startswith("*")]
    modes = {((spec.get("trafficPolicy") or {}).get("tls") or {}).get("mode") for spec in wide}
    if mode == "STRICT":
        return PARTLY if "DISABLE" in modes else ENABLED
    if mode == "DISABLE":
        return DISABLED
    return PARTLY if mode == "PERMISSIVE" or "ISTIO_MUTUAL" in modes else NOT


def _id(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]
