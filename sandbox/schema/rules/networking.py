"""Network policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names
from sandbox.schema.rules.common import selector
from sandbox.schema.rules.containers import BAD_PORT, PORTS

DIRECTIONS = (("ingress", "from"), ("egress", "to"))
TYPES = ("Ingress", "Egress")
PROTOCOLS = ("TCP", "UDP", "SCTP")


def network_policy(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from selector(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, peers in DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                yield from _port(port, f"{here}.ports[{number}]")
            yield from _peers(rule.get(peers) or (), f"{here}.{peers}")
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        if kind not in TYPES:
            yield not_supported(f"spec.policyTypes[{index}]", kind, TYPES)


def _port(found: Obj, path: str) -> Iterator[FieldError]:
    protocol, port, end = found.get("protocol"), found.get("port"), found.get("endPort")
    if protocol not in PROTOCOLS:
        yield not_supported(f"{path}.protocol", protocol, PROTOCOLS)
    if isinstance(port, str):
        yield from (invalid(f"{path}.port", port, text) for text in names.port_name(port))
    elif port is not None and port not in PORTS:
        yield invalid(f"{path}.port", port, BAD_PORT)
    if end is not None:
        yield from _end(port, end, f"{path}.endPort")


def _end(port: Any, end: int, path: str) -> Iterator[FieldError]:
    if port is None:
        yield invalid(path, end, "may not be specified when `port` is not specified")
    elif isinstance(port, str):
        yield invalid(path, end, "may not be specified when `port` is non-numeric")
    elif end < port:
        yield invalid(path, port, "must be greater than or equal to `port`")


def _peers(peers: Iterable[Obj], path: str) -> Iterator[FieldError]:
    for index, peer in enumerate(peers):
        here = f"{path}[{index}]"
        if not peer:
            yield required(here, "must specify a peer")
        elif "ipBlock" in peer and len(peer) > 1:
            yield forbidden(here, "may not specify both ipBlock and another peer")
        for name in ("podSelector", "namespaceSelector"):
            yield from selector(peer.get(name) or {}, f"{here}.{name}")
