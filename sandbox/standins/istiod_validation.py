"""What istiod's validation webhook refuses: mistakes that a schema cannot see. Pure.

A small part of what the real one knows: the mistakes that a deployment tool is likely to make. Messages follow the real
ones in substance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Obj = dict[str, Any]
Check = Callable[[Obj], Iterator[str]]

NAME = re.compile(r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
HOST = re.compile(
    r"^(\*|(\*\.)?[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?)*\.?)$"
)
PROTOCOLS = frozenset(
    {"HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS", "MYSQL", "REDIS", "HTTP_PROXY"}
)


def problems(obj: Obj) -> list[str]:
    """Every reason to refuse an Istio object; empty for a sound one, and for kinds that are not checked."""
    check = CHECKS.get(obj["kind"])
    return list(check(obj.get("spec") or {})) if check else []


def _virtual_service(spec: Obj) -> Iterator[str]:
    delegate = not spec.get("hosts")
    if delegate and spec.get("gateways"):
        yield "delegate virtual service must have no gateways"
    yield from _hosts(spec.get("hosts") or ())
    if not any(spec.get(kind) for kind in ("http", "tcp", "tls")):
        yield "http, tcp or tls must be provided in virtual service"
    if "*" in (spec.get("hosts") or ()) and spec.get("gateways", ["mesh"]) == ["mesh"]:
        yield "wildcard host * is not allowed for virtual services bound to the mesh gateway"
    for route in spec.get("http") or ():
        yield from _http_route(route)
    for kind in ("tcp", "tls"):
        for route in spec.get(kind) or ():
            yield from _destinations(route.get("route") or ())


def _http_route(route: Obj) -> Iterator[str]:
    ways = [key for key in ("route", "redirect", "directResponse", "delegate") if route.get(key)]
    if not ways:
        yield "HTTP route, redirect or direct_response is required"
    if len(ways) > 1:
        yield f"HTTP route cannot contain both {ways[0]} and {ways[1]}"
    yield from _destinations(route.get("route") or ())
    for key in ("timeout",):
        if key in route and not _duration(route[key]):
            yield f"invalid {key}: {route[key]!r} is no duration"
    retries = route.get("retries") or {}
    if retries.get("attempts", 0) < 0:
        yield "attempts cannot be negative"


def _destinations(entries: Iterable[Obj]) -> Iterator[str]:
    weights = [int(entry.get("weight", 0)) for entry in entries]
    if any(weight < 0 for weight in weights):
        yield f"weight {min(weights)} < 0"
    elif len(weights) > 1 and sum(weights) == 0:
        yield "total destination weight = 0"
    for entry in entries:
        host = (entry.get("destination") or {}).get("host", "")
        if not host or not HOST.match(host) or host.startswith("*"):
            yield f"destination host {host!r} is invalid"


def _destination_rule(spec: Obj) -> Iterator[str]:
    yield from _hosts([spec.get("host", "")])
    names = [subset.get("name", "") for subset in spec.get("subsets") or ()]
    yield from (f"subset name {name!r} is invalid" for name in names if not NAME.match(name))
    yield from (f"duplicate subset name {name!r}" for name in sorted(set(names)) if names.count(name) > 1)


def _gateway(spec: Obj) -> Iterator[str]:
    servers = spec.get("servers") or ()
    if not servers:
        yield "gateway must have at least one server"
    names = [server["port"]["name"] for server in servers if server.get("port", {}).get("name")]
    yield from (
        f"port names in servers must be unique: duplicate name {n}" for n in sorted(set(names)) if names.count(n) > 1
    )
    for server in servers:
        yield from _hosts([host.rpartition("/")[2] for host in server.get("hosts") or ()])
        if not server.get("hosts"):
            yield "server config must contain at least one host"
        yield from _server_port(server)


def _server_port(server: Obj) -> Iterator[str]:
    port, tls = server.get("port") or {}, server.get("tls") or {}
    protocol = str(port.get("protocol", "")).upper()
    if protocol not in PROTOCOLS:
        yield f"invalid protocol {port.get('protocol')!r}, supported are {', '.join(sorted(PROTOCOLS))}"
    if not 0 < int(port.get("number", 0)) < 65536:
        yield f"port number {port.get('number')} must be in the range 1..65535"
    if protocol in ("HTTPS", "TLS") and not tls:
        yield f"server must have TLS settings for {protocol} protocols"
    if tls.get("mode") in ("SIMPLE", "MUTUAL") and not (
        tls.get("credentialName") or tls.get("credentialNames") or tls.get("serverCertificate")
    ):
        yield f"{tls['mode']} TLS requires a server certificate or a credentialName"


def _service_entry(spec: Obj) -> Iterator[str]:
    hosts = spec.get("hosts") or ()
    if not hosts:
        yield "service entry must have at least one host"
    yield from _hosts(hosts)
    if "*" in hosts:
        yield "invalid host *"
    if not spec.get("ports"):
        yield "service entry must have at least one port"
    if spec.get("resolution") == "STATIC" and not (spec.get("endpoints") or spec.get("workloadSelector")):
        yield "endpoints must be provided if service entry resolution mode is static"
    if spec.get("resolution") == "DNS" and any(host.startswith("*") for host in hosts) and not spec.get("endpoints"):
        yield "hosts must be FQDN if no endpoints are provided for resolution mode DNS"
    if spec.get("resolution") == "NONE" and spec.get("endpoints"):
        yield "no endpoints should be provided for resolution type none"


def _peer_authentication(spec: Obj) -> Iterator[str]:
    ports = spec.get("portLevelMtls") or {}
    if ports and not (spec.get("selector") or {}).get("matchLabels"):
        yield "mTLS portLevelMtls requires a selector: it applies to workloads"
    yield from (f"port number {port} must be in the range 1..65535" for port in ports if not _port(port))


def _authorization_policy(spec: Obj) -> Iterator[str]:
    action = spec.get("action", "ALLOW")
    if action == "CUSTOM" and not (spec.get("provider") or {}).get("name"):
        yield "`provider.name` must not be empty with CUSTOM action"
    if action != "CUSTOM" and spec.get("provider"):
        yield f"`provider` must not be set with {action} action"
    if action == "DENY" and spec.get("rules") is None:
        yield "DENY action without `rules` never matches; to deny all requests, use a rule that is empty"
    for number, rule in enumerate(spec.get("rules") or ()):
        for source in rule.get("from") or ():
            if not source.get("source"):
                yield f"`from.source` cannot be nil, found at rule {number}"
        for target in rule.get("to") or ():
            if not target.get("operation"):
                yield f"`to.operation` cannot be nil, found at rule {number}"
        for condition in rule.get("when") or ():
            if not condition.get("values") and not condition.get("notValues"):
                yield f"`values` or `notValues` must be set for key {condition.get('key')}, found at rule {number}"


def _request_authentication(spec: Obj) -> Iterator[str]:
    for rule in spec.get("jwtRules") or ():
        if not rule.get("issuer"):
            yield "issuer must be set"
        if rule.get("jwks") and rule.get("jwksUri"):
            yield "only one of jwks and jwksUri can be set"


def _hosts(hosts: Any) -> Iterator[str]:
    yield from (f"domain name {host!r} invalid" for host in hosts if not HOST.match(host))


def _duration(text: str) -> bool:
    return bool(re.fullmatch(r"(\d+(\.\d+)?(h|m|s|ms))+", text))


def _port(text: str) -> bool:
    return text.isdigit() and 0 < int(text) < 65536


CHECKS: Mapping[str, Check] = {
    "VirtualService": _virtual_service,
    "DestinationRule": _destination_rule,
    "Gateway": _gateway,
    "ServiceEntry": _service_entry,
    "PeerAuthentication": _peer_authentication,
    "AuthorizationPolicy": _authorization_policy,
    "RequestAuthentication": _request_authentication,
}
