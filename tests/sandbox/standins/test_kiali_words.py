"""Kiali's graph and its words on mutual TLS."""

from typing import Any

import pytest

from sandbox.standins import kiali_graph
from sandbox.traffic import Edge

Obj = dict[str, Any]


def edge(source: str, workload: str, *, namespace: str = "weather", mutual: bool = True, errors: float = 0.0) -> Edge:
    outside = "unknown" if source == "unknown" else "weather"
    return Edge(outside, source, namespace, workload, workload, "http", mutual, 10.0, errors)


def test_the_graph_has_a_node_for_each_end() -> None:
    """Once, however many edges; an edge carries its rates and whether it was secured."""
    found = kiali_graph.elements([edge("a", "b"), edge("a", "c", mutual=False, errors=5.0)], {"weather"})
    nodes = {node["data"]["workload"]: node["data"] for node in found["nodes"]}
    assert sorted(nodes) == ["a", "b", "c"]
    first, second = (item["data"] for item in found["edges"])
    assert first["isMTLS"] == "100"
    assert (first["source"], first["target"]) == (nodes["a"]["id"], nodes["b"]["id"])
    assert "isMTLS" not in second
    assert second["traffic"]["rates"] == {"http": "10.00", "http5xx": "5.00", "httpPercentErr": "50.0"}


def test_other_namespaces_are_left_out() -> None:
    """Only edges with an end in those that were asked for."""
    assert kiali_graph.elements([edge("a", "b")], {"elsewhere"}) == {"nodes": [], "edges": []}


def policy(mode: str, *, created: str = "2026-01-01", **spec: Any) -> Obj:
    return {"metadata": {"creationTimestamp": created}, "spec": {"mtls": {"mode": mode}, **spec}}


DISABLED_RULE = {"spec": {"host": "*.local", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}}


@pytest.mark.parametrize(
    ("policies", "rules", "wanted"),
    [
        ([policy("STRICT")], [], "MTLS_ENABLED"),
        ([policy("STRICT")], [DISABLED_RULE], "MTLS_PARTIALLY_ENABLED"),
        ([policy("PERMISSIVE")], [], "MTLS_PARTIALLY_ENABLED"),
        ([policy("DISABLE")], [], "MTLS_DISABLED"),
        ([], [], "MTLS_NOT_ENABLED"),
        ([policy("STRICT", selector={"matchLabels": {"app": "a"}})], [], "MTLS_NOT_ENABLED"),
        ([policy("PERMISSIVE", created="2026-02-01"), policy("STRICT")], [], "MTLS_ENABLED"),
    ],
)
def test_mutual_tls_is_what_the_oldest_policy_without_a_selector_says(
    policies: list[Obj], rules: list[Obj], wanted: str
) -> None:
    """In Kiali's four words."""
    assert kiali_graph.tls(policies, rules) == wanted
