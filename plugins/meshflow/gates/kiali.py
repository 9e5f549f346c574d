"""Does Kiali see the mesh: its parts, who calls whom, and that they do so by mutual TLS?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from meshflow.gates.model import Number, Result, Verdict

STATUS, GRAPH, MTLS = "kiali.status", "kiali.graph", "kiali.mtls"


def status(answer: Mapping[str, Any]) -> Verdict:
    """From `/api/status`: whether Kiali runs and knows the control plane."""
    state = answer.get("status") or {}
    found = str(state.get("Kiali state") or "unknown")
    version = str(state.get("Kiali version") or "unknown")
    numbers: dict[str, Number] = {"state": found, "version": version}
    result = Result.PASS if found == "running" else Result.FAIL
    return Verdict(STATUS, result, f"Kiali {version} is {found}", numbers)


def graph(answer: Mapping[str, Any], *, services: Collection[str] = ()) -> Verdict:
    """From `/api/namespaces/graph`: whether there are nodes and edges, and every one of `services` among the nodes.

    An empty graph is no failure of the mesh: without traffic there is nothing to draw.
    """
    elements = answer.get("elements") or {}
    nodes = [item.get("data") or {} for item in elements.get("nodes") or []]
    edges = [item.get("data") or {} for item in elements.get("edges") or []]
    secured = sum(1 for edge in edges if float(edge.get("isMTLS") or 0) > 0)
    numbers: dict[str, Number] = {"nodes": len(nodes), "edges": len(edges), "edges_mtls": secured}
    if not nodes or not edges:
        return Verdict(
            GRAPH, Result.INCONCLUSIVE, "Kiali's graph is empty: no traffic, or none that it is told of", numbers
        )
    seen = {str(node.get(key)) for node in nodes for key in ("app", "workload", "service")}
    lacking = sorted(name for name in services if not {name, f"{name}-primary"} & seen)
    if lacking:
        return Verdict(GRAPH, Result.FAIL, f"not in Kiali's graph: {', '.join(lacking)}", numbers)
    reason = f"{len(nodes)} nodes and {len(edges)} edges, {secured} of them by mutual TLS"
    return Verdict(GRAPH, Result.PASS, reason, numbers)


def mesh_mtls(answer: Mapping[str, Any], *, wanted: str = "MTLS_ENABLED") -> Verdict:
    """From `/api/mesh/tls`. Kiali's words: MTLS_ENABLED, MTLS_PARTIALLY_ENABLED, MTLS_NOT_ENABLED, MTLS_DISABLED."""
    found = str(answer.get("status") or "unknown")
    numbers: dict[str, Number] = {"status": found}
    if found == "unknown":
        return Verdict(MTLS, Result.INCONCLUSIVE, "Kiali says nothing about mutual TLS", numbers)
    if found != wanted:
        return Verdict(MTLS, Result.FAIL, f"Kiali says {found}, wanted {wanted}", numbers)
    return Verdict(MTLS, Result.PASS, f"Kiali says {found}", numbers)
