"""Where a gateway is reached, from its Service."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from meshflow.objects.reference import Obj

STATUS_PORT = 15021
NODE_ADDRESSES = ("ExternalIP", "InternalIP", "Hostname")
WELL_KNOWN = {"http": 80, "https": 443}


class Reach(StrEnum):
    """How the gateway is reached; one sentence each in the docstring of `address`."""

    LOAD_BALANCER = "load_balancer"
    NODE_PORT = "node_port"
    CLUSTER = "cluster"
    PENDING = "pending"


class Address(NamedTuple):
    """`host` is an IP or a name, None while there is none. `ports` are (name, port to call)."""

    reach: Reach
    host: str | None
    ports: tuple[tuple[str, int], ...]
    message: str

    def url(self, *, scheme: str | None = None) -> str | None:
        """The address to publish: https where the gateway has it, else http; None without host or such a port."""
        for wanted in [scheme] if scheme else ["https", "http"]:
            port = next((port for name, port in self.ports if name.startswith(wanted) and _is(name, wanted)), None)
            if port is not None and self.host is not None:
                return f"{wanted}://{_bracketed(self.host)}" + (f":{port}" if port != WELL_KNOWN[wanted] else "")
        return None


def address(service: Obj, *, nodes: Sequence[Obj] = (), port: int | None = None) -> Address:
    """How the gateway behind a Service is reached; with `port`, by that port of the Service alone.

    A Service may have ports on which nothing listens yet (the gateway chart's has 443 from the start).

    load_balancer: the load balancer's address. node_port: a node's address and the Service's node port, also when a
    load balancer was asked for and none came but `nodes` are given. cluster: only from inside. pending: a load
    balancer was asked for and has no address yet, which no time limit ends where none is installed.
    """
    spec = service["spec"]
    reached = [one for one in spec.get("ports") or [] if one["port"] != STATUS_PORT and port in (None, one["port"])]
    direct = tuple((_name(one), int(one["port"])) for one in reached)
    by_node = tuple((_name(one), int(one["nodePort"])) for one in reached if one.get("nodePort"))
    kind = spec.get("type", "ClusterIP")
    if kind == "LoadBalancer":
        points = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        host = next((found for point in points if (found := point.get("ip") or point.get("hostname"))), None)
        if host:
            return Address(Reach.LOAD_BALANCER, host, direct, f"the load balancer's address is {host}")
        if not nodes:
            return Address(Reach.PENDING, None, direct, "the load balancer has no address yet; is one installed?")
    if kind in ("LoadBalancer", "NodePort"):
        node = node_address(nodes)
        why = f"any node answers; taken is {node}" if node else "no node has an address"
        return Address(Reach.NODE_PORT if node else Reach.PENDING, node, by_node, why)
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    return Address(Reach.CLUSTER, host, direct, "only reached from inside the cluster")


def node_address(nodes: Iterable[Obj]) -> str | None:
    """The address of the first ready node: the external one before the internal one before its name."""
    ready = [node for node in nodes if _ready(node)]
    for kind in NODE_ADDRESSES:
        for node in sorted(ready, key=lambda item: str(item["metadata"]["name"])):
            for found in (node.get("status") or {}).get("addresses") or []:
                if found["type"] == kind:
                    return str(found["address"])
    return None


def _ready(node: Obj) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _name(port: Obj) -> str:
    """The port's name, or what its number is known for: `http2` and `https` are names of the gateway chart."""
    known = {number: name for name, number in WELL_KNOWN.items()}
    return str(port.get("name") or known.get(int(port["port"]), port["port"]))


def _is(name: str, scheme: str) -> bool:
    return scheme == "https" or not name.startswith("https")


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
