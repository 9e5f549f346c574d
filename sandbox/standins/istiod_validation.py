"""What istiod's validation webhook refuses, and what it warns about: mistakes that a schema cannot see. Pure.

A small part of what the real one knows: the mistakes that a deployment tool is likely to make. Messages follow the real
ones in substance. Some of them the real definitions find before it, by CEL rules.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Obj = dict[str, Any]
Check = Callable[[Obj], Iterator[str]]

NAME = re.compile(r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
HOST = re.compile(
    r"^(\*|(\*\.)?[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?)*\.?)$"
)
ATTRIBUTES = re.compile(
    r"(request\.headers|request\.auth\.claims|experimental\.envoy\.filters\..+)\[.+\]|(source|remote|destination)\.ip"
    r"|source\.(namespace|principal|serviceAccount)|request\.auth\.(principal|audiences|presenter)"
    r"|destination\.port|connection\.sni"
)
SOURCES = ("principals", "requestPrincipals", "namespaces", "serviceAccounts", "ipBlocks", "remoteIpBlocks")
OPERATIONS = ("hosts", "ports", "methods", "paths")
PROTOCOLS = frozenset(
    {"HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS", "MYSQL", "REDIS", "HTTP_PROXY"}
)


def problems(obj: Obj) -> list[str]:
    """Every reason to refuse an Istio object; empty for a sound one, and for kinds that are not checked."""
    check = CHECKS.get(obj["kind"])
    return list(check(obj.get("spec") or {})) if check else []


def warnings(obj: Obj) -> list[str]:
    """What is said of an object that is let through: rules of a VirtualService that no request reaches."""
    routes = (obj.get("spec") or {}).get("http") or () if obj["kind"] == "VirtualService" else ()
    seen: list[Any] = []
    matchless, found = False, []
    for number, route in enumerate(routes):
        rule = f'"{route["name"]}"' if route.get("name") else f"#{number}"
        matches = route.get("match") or ()
        if matchless:
            why = "route without matches defined before" if matches else "only the last rule can have no matches"
            found.append(f"virtualService rule {rule} not used ({why})")
            continue
        known = [next((n for n, match in seen if match == one), None) for one in matches]
        found += [
            f"virtualService rule {rule} match #{index} is not used (duplicate/overlapping match in rule #{earlier})"
            for index, earlier in enumerate(known)
            if earlier is not None
        ]
        if matches and None not in known:
            found.append(f"virtualService rule {rule} not used (all matches used by prior rules)")
        seen += [(number, match) for match in matches]
        matchless = not matches
    return found


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
    if "timeout" in route and not _duration(route["timeout"]):
        yield f"invalid timeout: {route['timeout']!r} is no duration of 1ms or more"
    status = ((route.get("fault") or {}).get("abort") or {}).get("httpStatus", 200)
    if not 200 <= status < 600:
        yield f"HTTP status {status} is not in range 200-599"
    if (mirrored := (route.get("mirrorPercentage") or {}).get("value", 0)) > 100:
        yield f"mirror_percentage must have a max value of 100 (it has {mirrored:f})"
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
    yield from (f"duplicate subset names: {name}" for name in sorted(set(names)) if names.count(name) > 1)
    tls = (spec.get("trafficPolicy") or {}).get("tls") or {}
    if tls.get("mode") == "MUTUAL" and not tls.get("credentialName"):
        for key, what in (("clientCertificate", "client certificate"), ("privateKey", "private key")):
            if not tls.get(key):
                yield f"{what} required for mutual tls"


def _sidecar(spec: Obj) -> Iterator[str]:
    if not spec:
        yield "sidecar: empty configuration provided"
    for listener in spec.get("egress") or ():
        for host in listener.get("hosts") or ():
            namespace, _, name = host.partition("/")
            if not namespace or not name:
                yield "host must be of form namespace/dnsName"
            elif name != "*" and "." not in name:
                yield "short names (non FQDN) are not allowed"


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
    for port in spec.get("ports") or ():
        if str(port.get("protocol") or "TCP").upper() not in PROTOCOLS:
            yield f"unsupported protocol: {port['protocol']}"
    yield from (f"{address} is not a valid IP" for address in spec.get("addresses") or () if not _network(address))
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
        yield from _authorization_rule(rule, number)


def _authorization_rule(rule: Obj, number: int) -> Iterator[str]:
    for part, key, fields in (("from", "source", SOURCES), ("to", "operation", OPERATIONS)):
        for entry in rule.get(part) or ():
            said = entry.get(key)
            if not said:
                yield f"`{part}.{key}` must not be empty, found at rule {number}"
                continue
            for field in (name for given in fields for name in (given, f"not{given[0].upper()}{given[1:]}")):
                yield from _values(field, said.get(field) or ())
    for condition in rule.get("when") or ():
        key = condition.get("key", "")
        if not ATTRIBUTES.fullmatch(key):
            yield f"invalid `value` for `key` {key}: unknown attribute: {key}"
        if not condition.get("values") and not condition.get("notValues"):
            yield f"`values` or `notValues` must be set for key {key}, found at rule {number}"


def _values(field: str, values: Iterable[str]) -> Iterator[str]:
    for value in values:
        if not value:
            yield f"empty value not allowed, found in {field[0].upper()}{field[1:]}"
        elif field.endswith("pBlocks") and not _network(value):
            yield f"bad IP address ({value})"
        elif field in ("ports", "notPorts") and not _port(value):
            yield f"bad port ({value})"


def _request_authentication(spec: Obj) -> Iterator[str]:
    for rule in spec.get("jwtRules") or ():
        if rule.get("jwks") and rule.get("jwksUri"):
            yield "only one of jwks and jwksUri can be set"


def _hosts(hosts: Any) -> Iterator[str]:
    yield from (f"domain name {host!r} invalid" for host in hosts if not HOST.match(host))


def _duration(text: str) -> bool:
    found = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    return "".join(number + unit for number, unit in found) == text and any(float(number) for number, _ in found)


def _network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _port(text: str) -> bool:
    return text.isdigit() and 0 < int(text) < 65536


CHECKS: Mapping[str, Check] = {
    "VirtualService": _virtual_service,
    "DestinationRule": _destination_rule,
    "Gateway": _gateway,
    "Sidecar": _sidecar,
    "ServiceEntry": _service_entry,
    "PeerAuthentication": _peer_authentication,
    "AuthorizationPolicy": _authorization_policy,
    "RequestAuthentication": _request_authentication,
}
