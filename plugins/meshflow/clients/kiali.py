"""Kiali's HTTP API, as far as gates need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from meshflow.clients import door as doors
from meshflow.clients.door import Door


class Edge(NamedTuple):
    """Traffic between two nodes of the graph, each as `namespace/workload`; `mtls` is the share in percent, or None."""

    source: str
    target: str
    protocol: str
    mtls: float | None


class Graph(NamedTuple):
    """What Kiali sees: nodes as `namespace/name`, and the traffic between them."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]


class Kiali:
    """One Kiali behind a door; `root` is its `web_root`. A token is the door's header."""

    def __init__(self, door: Door, *, root: str = "/kiali") -> None:
        self._door, self._root = door, root.strip("/")

    @property
    def name(self) -> str:
        """Where it is, for messages."""
        return self._door.name

    async def status(self) -> dict[str, Any]:
        """`status` (version and state of Kiali) and `externalServices` as Kiali reports them."""
        answer = await self._json("api/status")
        return dict(answer)

    async def graph(self, namespaces: Sequence[str], *, duration: str = "60s") -> Graph:
        """The workload graph of these namespaces over the last `duration`, mTLS shares included."""
        params = {
            "namespaces": ",".join(namespaces),
            "duration": duration,
            "graphType": "workload",
            "appenders": "securityPolicy,deadNode",
            "injectServiceNodes": "false",
        }
        elements = (await self._json("api/namespaces/graph", params)).get("elements") or {}
        names = {node["data"]["id"]: _node_name(node["data"]) for node in elements.get("nodes") or ()}
        edges = tuple(_edge(edge["data"], names) for edge in elements.get("edges") or ())
        return Graph(tuple(sorted(set(names.values()))), edges)

    async def mesh_tls(self) -> str:
        """Mesh-wide mTLS in Kiali's word, such as MTLS_ENABLED."""
        return str((await self._json("api/mesh/tls")).get("status", "UNKNOWN"))

    async def _json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return await doors.json_of(self._door, f"{self._root}/{path}" if self._root else path, params=params)


def _node_name(data: Mapping[str, Any]) -> str:
    name = data.get("workload") or data.get("app") or data.get("service") or data["id"]
    return f"{data.get('namespace', '?')}/{name}"


def _edge(data: Mapping[str, Any], names: Mapping[str, str]) -> Edge:
    traffic = data.get("traffic") or {}
    share = data.get("isMTLS")
    return Edge(
        names.get(data["source"], data["source"]),
        names.get(data["target"], data["target"]),
        str(traffic.get("protocol", "")),
        float(share) if share not in (None, "") else None,
    )
