"""Who calls whom, and over what: the pure half of the traffic model.

For each Service:

    callers   the gateways whose VirtualServices lead to it, and the workloads that its AuthorizationPolicies let in;
              somebody unknown without a proxy where neither is there
    splits    the VirtualService's weights and matches share the requests between the Service, its -primary and its
              -canary; a conditional route (headers, query, cookies) gets `MATCH_SHARE` of what reaches it
    security  mutual TLS where both ends have a proxy and neither the DestinationRule nor the PeerAuthentication turns
              it off; refused where plain text meets STRICT

A gateway sends straight to the destination of its own VirtualService: a second VirtualService for that host, bound to
the mesh only, does not apply to it. This is Istio's behaviour, and a common reason for canaries that get no traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from sandbox.topology import ROOT_NAMESPACE, Obj, Pod, Service, Topology, Workload

Headers = Mapping[str, str]  # names in lower case
NONE: Headers = {}

MATCH_SHARE = 0.25  # of the requests that reach a conditional route
_CONDITIONS = ("headers", "queryParams", "withoutHeaders", "sourceLabels", "authority", "method")


class Security(StrEnum):
    """How one request travels."""

    MUTUAL = "mutual_tls"
    PLAIN = "none"
    REFUSED = "refused"  # the destination is STRICT and the caller does not speak mutual TLS


class Split(NamedTuple):
    service: Service
    share: float
    mirrored: float = 0.0  # copies of this part of the requests, whose answers nobody sees


def callers(topology: Topology, service: Service) -> list[Workload | None]:
    """The workloads that call the Service.

    `[None]`, somebody unknown, when neither a gateway nor a policy says who; nobody when a policy names callers of whom
    none runs, since it would refuse all others.
    """
    pods = topology.behind(service)
    found = {(w.namespace, w.name): w for w in _gateways_of(topology, service)}
    accounts = _admitted_accounts(topology, pods)
    for workload in topology.workloads.values():
        pod, key = workload.pods[0], (workload.namespace, workload.name)
        if (pod.namespace, pod.account) in accounts and not workload.name.endswith("-loadtester"):
            found |= {} if key == (pods[0].namespace, pods[0].workload) else {key: workload}
    return list(found.values()) or ([] if accounts else [None])


def splits(topology: Topology, service: Service, caller: Workload | None, headers: Headers = NONE) -> list[Split]:
    """How requests for the Service are shared; a single whole share when no VirtualService applies.

    With `headers`, all the requests carry these, and go where the first route that they match sends them.
    """
    through_gateway = caller is not None and any(pod.gateway for pod in caller.pods)
    for virtual in topology.virtual_services:
        if through_gateway and _leads_to(topology, virtual, service) and _external(virtual):
            return _shares(topology, virtual, service, headers)
        if not through_gateway and _is_host(topology, virtual, service) and _in_mesh(virtual):
            return _shares(topology, virtual, service, headers)
    return [Split(service, 1.0)]


def security(topology: Topology, caller: Workload | None, service: Service, pod: Pod) -> Security:
    """How a request of `caller` reaches `pod` through `service`."""
    rule = topology.destination_rule(service)
    tls = ((rule or {}).get("spec", {}).get("trafficPolicy") or {}).get("tls") or {}
    speaks = caller is not None and caller.proxied and tls.get("mode", "ISTIO_MUTUAL") == "ISTIO_MUTUAL"
    target = service.ports[0].target if service.ports else 0
    port = target if isinstance(target, int) else pod.ports.get(target, 0)
    mode = peer_mode(topology, pod, port) if pod.proxied else "DISABLE"
    if speaks and mode != "DISABLE":
        return Security.MUTUAL
    return Security.REFUSED if mode == "STRICT" else Security.PLAIN


def peer_mode(topology: Topology, pod: Pod, port: int) -> str:
    """The PeerAuthentication mode in force: port, workload, namespace, mesh; the oldest of equals; UNSET inherits.

    `port` is the container's, not the Service's.
    """
    candidates: list[str] = []
    for scope in (_selecting, _namespaced, _meshwide):
        policy = min(
            (p for p in topology.peer_authentications if scope(p, pod)),
            key=lambda p: (p["metadata"].get("creationTimestamp", ""), p["metadata"]["name"]),
            default=None,
        )
        if policy is None:
            continue
        spec = policy.get("spec") or {}
        if scope is _selecting:
            candidates.append(((spec.get("portLevelMtls") or {}).get(str(port)) or {}).get("mode", "UNSET"))
        candidates.append((spec.get("mtls") or {}).get("mode", "UNSET"))
    return next((mode for mode in candidates if mode != "UNSET"), "PERMISSIVE")


def alike(pods: Iterable[Pod]) -> list[list[Pod]]:
    """Pods of one namespace, grouped by workload and image: those of a group behave alike."""
    grouped: dict[tuple[str, str], list[Pod]] = {}
    for pod in pods:
        grouped.setdefault((pod.workload, pod.image), []).append(pod)
    return list(grouped.values())


def _selecting(policy: Obj, pod: Pod) -> bool:
    labels = ((policy.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    here = policy["metadata"]["namespace"] == pod.namespace
    return here and bool(labels) and bool(labels.items() <= pod.labels.items())


def _namespaced(policy: Obj, pod: Pod) -> bool:
    return not (policy.get("spec") or {}).get("selector") and policy["metadata"]["namespace"] == pod.namespace


def _meshwide(policy: Obj, pod: Pod) -> bool:
    return not (policy.get("spec") or {}).get("selector") and policy["metadata"]["namespace"] == ROOT_NAMESPACE


def _family(topology: Topology, service: Service) -> dict[str, Service]:
    names = (service.name, f"{service.name}-primary", f"{service.name}-canary")
    return {n: topology.services[service.namespace, n] for n in names if (service.namespace, n) in topology.services}


def _is_host(topology: Topology, virtual: Obj, service: Service) -> bool:
    namespace = virtual["metadata"]["namespace"]
    return any(topology.service_at(host, namespace) == service for host in virtual["spec"].get("hosts") or ())


def _in_mesh(virtual: Obj) -> bool:
    gateways = virtual["spec"].get("gateways") or ["mesh"]
    return "mesh" in gateways


def _external(virtual: Obj) -> bool:
    return any(gateway != "mesh" for gateway in virtual["spec"].get("gateways") or ())


def _routes(virtual: Obj) -> Iterator[Obj]:
    yield from virtual["spec"].get("http") or ()
    yield from virtual["spec"].get("tcp") or ()


def _leads_to(topology: Topology, virtual: Obj, service: Service) -> bool:
    family = _family(topology, service).values()
    namespace = virtual["metadata"]["namespace"]
    return any(
        topology.service_at(destination["destination"]["host"], namespace) in family
        for route in _routes(virtual)
        for destination in route.get("route") or ()
    )


def _shares(topology: Topology, virtual: Obj, service: Service, headers: Headers) -> list[Split]:
    family = {s.host: s for s in _family(topology, service).values()}
    namespace = virtual["metadata"]["namespace"]
    shares = dict.fromkeys(family, 0.0)
    mirrored = dict.fromkeys(family, 0.0)
    for part, route in _portions(list(_routes(virtual)), headers):
        destinations = [
            (found.host, 100 if len(route["route"]) == 1 else destination.get("weight", 0))
            for destination in route.get("route") or ()
            if (found := topology.service_at(destination["destination"]["host"], namespace))
        ]
        whole = sum(weight for _, weight in destinations)
        for host, weight in destinations:
            if host in shares and whole:
                shares[host] += part * weight / whole
        copy = topology.service_at((route.get("mirror") or {}).get("host", ""), namespace)
        if copy and copy.host in mirrored:
            mirrored[copy.host] += part * (route.get("mirrorPercentage") or {}).get("value", 100) / 100
    whole = sum(shares.values()) or 1.0
    return [Split(family[h], shares[h] / whole, mirrored[h] / whole) for h in family if shares[h] or mirrored[h]]


def _portions(routes: Sequence[Obj], headers: Headers) -> Iterator[tuple[float, Obj]]:
    """Each route with its part of the requests: conditional ones take their share, the first plain one the rest."""
    left = 1.0
    for route in routes:
        if _conditional(route) and not headers:
            yield left * MATCH_SHARE, route
            left *= 1 - MATCH_SHARE
        elif not _conditional(route) or any(_matches(match, headers) for match in route["match"]):
            yield left, route
            return


def _matches(match: Obj, headers: Headers) -> bool:
    """Whether requests with these headers meet the header conditions; other conditions count as not met."""
    wanted = match.get("headers") or {}
    others = any(condition in match for condition in _CONDITIONS if condition != "headers")
    return bool(wanted) and not others and all(_meets(rule, headers.get(name.lower())) for name, rule in wanted.items())


def _meets(rule: Obj, value: str | None) -> bool:
    if value is None:
        return False
    if "regex" in rule:
        return re.fullmatch(rule["regex"], value) is not None
    return value == rule["exact"] if "exact" in rule else value.startswith(rule.get("prefix", ""))


def _conditional(route: Obj) -> bool:
    matches = route.get("match") or ()
    return bool(matches) and all(any(condition in match for condition in _CONDITIONS) for match in matches)


def _gateways_of(topology: Topology, service: Service) -> Iterator[Workload]:
    names = {
        name if "/" in name else f"{virtual['metadata']['namespace']}/{name}"
        for virtual in topology.virtual_services
        if _leads_to(topology, virtual, service)
        for name in virtual["spec"].get("gateways") or ()
        if name != "mesh"
    }
    for gateway in topology.gateways:
        if f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}" in names:
            yield from _selected(topology, gateway["spec"].get("selector") or {})


def _selected(topology: Topology, selector: Mapping[str, str]) -> Iterator[Workload]:
    for workload in topology.workloads.values():
        if selector and selector.items() <= workload.pods[0].labels.items():
            yield workload


def _admitted_accounts(topology: Topology, pods: Sequence[Pod]) -> set[tuple[str, str]]:
    """The service accounts (namespace, name) that ALLOW policies for these pods name."""
    return {
        _account(principal)
        for policy in topology.authorization_policies
        if pods and (policy.get("spec") or {}).get("action", "ALLOW") == "ALLOW" and _selecting(policy, pods[0])
        for rule in (policy.get("spec") or {}).get("rules") or ()
        for source in rule.get("from") or ()
        for principal in (source.get("source") or {}).get("principals") or ()
    }


def _account(principal: str) -> tuple[str, str]:
    """(namespace, account) of `cluster.local/ns/NAMESPACE/sa/ACCOUNT`; empty strings for a pattern."""
    parts = principal.split("/")
    return (parts[-3], parts[-1]) if len(parts) == 5 else ("", "")
