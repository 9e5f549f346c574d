"""Services: types, ports, and the addresses and node ports that only one of them may have.

What is taken is read from the stored Services each time, so nothing leaks when a write fails. A dry run is told
values that are not real, as the real server does: it must not take any.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from sandbox.builtin.strategy import Context, Obj, Strategy
from sandbox.schema import errors
from sandbox.schema.errors import FieldError

NETWORK = ipaddress.ip_network("10.96.0.0/16")
RESERVED = 10  # the first addresses are asked for by name (kubernetes, kube-dns)
NODE_PORTS = range(30000, 32768)
HEADLESS = "None"
NOT_REAL_PORT = NODE_PORTS.stop

WITH_ADDRESS = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
WITH_NODE_PORTS = frozenset({"NodePort", "LoadBalancer"})
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


class Service(Strategy):
    status = {"loadBalancer": {}}
    put_creates = True

    def prepare_create(self, obj: Obj, context: Context) -> None:
        super().prepare_create(obj, context)
        normalise(obj["spec"])
        fill_in(obj["spec"])

    def prepare_update(self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None) -> None:
        super().prepare_update(obj, old, context, subresource=subresource)
        if subresource == "status":
            return
        spec, before = obj.setdefault("spec", {}), old["spec"]
        keep_address(spec, before)
        keep_node_ports(spec, before)
        drop_what_the_type_lacks(spec, before)
        fill_in(spec)
        if kind_of(spec) != "LoadBalancer":
            obj["status"] = {"loadBalancer": {}}

    def validate(self, obj: Obj, context: Context) -> list[FieldError]:
        return [*check_type(obj["spec"]), *check_ports(obj["spec"])]

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        if subresource == "status":
            return []
        return [*check_address_kept(obj["spec"], old["spec"]), *self.validate(obj, context)]

    def allocate(self, obj: Obj, old: Obj | None, context: Context) -> list[FieldError]:
        others = [s for s in context.objects("", "Service") if not same(s, obj)]
        found = [*allocate_address(obj["spec"], others, context), *allocate_node_ports(obj["spec"], others, context)]
        return found or allocate_health_port(obj["spec"], others, context)


def same(one: Obj, other: Obj) -> bool:
    a, b = one["metadata"], other["metadata"]
    return bool(a["name"] == b["name"] and a.get("namespace") == b.get("namespace"))


def kind_of(spec: Obj) -> str:
    return str(spec.get("type") or "ClusterIP")


def normalise(spec: Obj) -> None:
    """clusterIP and clusterIPs say the same."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]


def fill_in(spec: Obj) -> None:
    """Defaults that depend on the type, which an update may have changed."""
    service_type = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if service_type in WITH_ADDRESS:
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    if service_type in WITH_NODE_PORTS:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if service_type == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


def keep_address(spec: Obj, before: Obj) -> None:
    """A write that leaves the address out keeps it; a patch of clusterIP alone speaks for clusterIPs too."""
    if kind_of(spec) not in WITH_ADDRESS or kind_of(before) not in WITH_ADDRESS:
        return
    if not spec.get("clusterIP") and not spec.get("clusterIPs"):
        for key in ("clusterIP", "clusterIPs"):
            if before.get(key):
                spec[key] = before[key]
    elif spec.get("clusterIP") != before.get("clusterIP") and spec.get("clusterIPs") == before.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"], *spec.get("clusterIPs", [])[1:]] if spec.get("clusterIP") else []
    normalise(spec)


def keep_node_ports(spec: Obj, before: Obj) -> None:
    """A port that leaves its node port out keeps the one it had."""
    if kind_of(spec) not in WITH_NODE_PORTS or kind_of(before) not in WITH_NODE_PORTS:
        return
    had = {port_key(port): port.get("nodePort") for port in before.get("ports") or ()}
    used = {port.get("nodePort") for port in spec.get("ports") or ()}
    for port in spec.get("ports") or ():
        kept = had.get(port_key(port))
        if not port.get("nodePort") and kept and kept not in used:
            port["nodePort"] = kept
    if wants_health_port(spec) and not spec.get("healthCheckNodePort") and before.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before["healthCheckNodePort"]


def port_key(port: Obj) -> tuple[str, Any]:
    return port.get("protocol") or "TCP", port.get("port")


def drop_what_the_type_lacks(spec: Obj, before: Obj) -> None:
    """A changed type loses the fields of the old one, as long as the writer did not ask for other values."""
    now, then = kind_of(spec), kind_of(before)
    if then in WITH_ADDRESS and now not in WITH_ADDRESS and spec.get("clusterIP") == before.get("clusterIP"):
        drop(spec, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if then in WITH_NODE_PORTS and now not in WITH_NODE_PORTS:
        drop(spec, "externalTrafficPolicy")
        had = {port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if port.get("nodePort") in had:
                port.pop("nodePort", None)
    if then == "LoadBalancer" and now != "LoadBalancer":
        drop(spec, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if wants_health_port(before) and not wants_health_port(spec):
        drop(spec, "healthCheckNodePort")


def drop(spec: Obj, *keys: str) -> None:
    for key in keys:
        spec.pop(key, None)


def wants_health_port(spec: Obj) -> bool:
    return kind_of(spec) == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def check_type(spec: Obj) -> Iterator[FieldError]:
    service_type = kind_of(spec)
    if service_type not in TYPES:
        yield errors.not_supported("spec.type", service_type, TYPES)
    if service_type == "ExternalName":
        if spec.get("clusterIP"):
            yield errors.forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'")
        if not spec.get("externalName"):
            yield errors.required("spec.externalName")
    elif not spec.get("ports") and spec.get("clusterIP") != HEADLESS:
        yield errors.required("spec.ports")
    if service_type in WITH_NODE_PORTS and spec.get("clusterIP") == HEADLESS:
        detail = f"may not be set to 'None' for {service_type} services"
        yield errors.invalid("spec.clusterIPs[0]", HEADLESS, detail)
    if service_type not in WITH_NODE_PORTS and spec.get("externalTrafficPolicy"):
        detail = "may only be set for externally-accessible services"
        yield errors.invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], detail)


def check_ports(spec: Obj) -> Iterator[FieldError]:
    ports = spec.get("ports") or []
    names: set[str] = set()
    pairs: set[tuple[str, Any]] = set()
    node_ports: set[tuple[str, Any]] = set()
    for index, port in enumerate(ports):
        field, name = f"spec.ports[{index}]", port.get("name")
        if not name and len(ports) > 1:
            yield errors.required(f"{field}.name")
        elif name and name in names:
            yield errors.duplicate(f"{field}.name", name)
        names.add(name or "")
        yield from check_port(field, port, kind_of(spec))
        if port_key(port) in pairs:
            yield errors.duplicate(field, {"protocol": port_key(port)[0], "port": port.get("port")})
        pairs.add(port_key(port))
        node_port = (port_key(port)[0], port.get("nodePort"))
        if port.get("nodePort") and node_port in node_ports:
            yield errors.duplicate(f"{field}.nodePort", port["nodePort"])
        node_ports.add(node_port)


def check_port(field: str, port: Obj, service_type: str) -> Iterator[FieldError]:
    in_range = "must be between 1 and 65535, inclusive"
    number, target, protocol = port.get("port", 0), port.get("targetPort"), port.get("protocol", "TCP")
    if not 1 <= number <= 65535:
        yield errors.invalid(f"{field}.port", number, in_range)
    if isinstance(target, int) and target != number and not 1 <= target <= 65535:
        yield errors.invalid(f"{field}.targetPort", target, in_range)
    if protocol not in ("TCP", "UDP", "SCTP"):
        yield errors.not_supported(f"{field}.protocol", protocol, ("SCTP", "TCP", "UDP"))
    if port.get("nodePort") and service_type not in WITH_NODE_PORTS:
        yield errors.forbidden(f"{field}.nodePort", f"may not be used when `type` is '{service_type}'")


def check_address_kept(spec: Obj, before: Obj) -> Iterator[FieldError]:
    if kind_of(spec) not in WITH_ADDRESS or kind_of(before) not in WITH_ADDRESS or not before.get("clusterIP"):
        return
    if spec.get("clusterIP") != before["clusterIP"]:
        value = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
        yield errors.invalid("spec.clusterIPs[0]", value, "may not change once set")


def allocate_address(spec: Obj, others: list[Obj], context: Context) -> list[FieldError]:
    if kind_of(spec) not in WITH_ADDRESS or spec.get("clusterIP") == HEADLESS:
        return []
    taken = {address for other in others for address in other["spec"].get("clusterIPs") or ()}
    wanted = spec.get("clusterIP")
    if not wanted:
        wanted = str(NETWORK[0]) if context.dry_run else next(free_addresses(taken))
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
        return []
    refused = f"failed to allocate IP {wanted}: "
    if wanted in taken:
        return [errors.invalid("spec.clusterIPs", [wanted], refused + "provided IP is already allocated")]
    try:
        inside = ipaddress.ip_address(wanted) in NETWORK
    except ValueError:
        message = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        return [errors.invalid("spec.clusterIPs[0]", wanted, message)]
    if inside or context.dry_run:
        return []
    detail = f"{refused}the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {NETWORK}"
    return [errors.invalid("spec.clusterIPs", [wanted], detail)]


def free_addresses(taken: set[str]) -> Iterator[str]:
    for number in range(RESERVED + 1, NETWORK.num_addresses - 1):
        address = str(NETWORK[number])
        if address not in taken:
            yield address


def taken_node_ports(others: list[Obj]) -> set[tuple[str, int]]:
    """(protocol, port): one node port may serve TCP for one Service and UDP for another."""
    found = {(port_key(p)[0], p["nodePort"]) for s in others for p in s["spec"].get("ports") or () if p.get("nodePort")}
    return found | {("TCP", s["spec"]["healthCheckNodePort"]) for s in others if s["spec"].get("healthCheckNodePort")}


def allocate_node_ports(spec: Obj, others: list[Obj], context: Context) -> list[FieldError]:
    if kind_of(spec) not in WITH_NODE_PORTS:
        return []
    found: list[FieldError] = []
    ports, taken = spec.get("ports") or [], taken_node_ports(others)
    for index, port in enumerate(ports):
        number, field = port.get("nodePort"), f"spec.ports[{index}].nodePort"
        if not number:
            continue
        if number not in NODE_PORTS:
            span = f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
            detail = f"provided port is not in the valid range. The range of valid ports is {span}"
            found.append(errors.invalid(field, number, detail))
        elif (port_key(port)[0], number) in taken:
            found.append(errors.invalid(field, number, "provided port is already allocated"))
        taken.add((port_key(port)[0], number))
    if spec.get("allocateLoadBalancerNodePorts") is not False:
        give_node_ports([port for port in ports if not port.get("nodePort")], {number for _, number in taken}, context)
    return found


def give_node_ports(ports: list[Obj], taken: set[int], context: Context) -> None:
    free = (number for number in NODE_PORTS if number not in taken)
    for port in ports:
        port["nodePort"] = NOT_REAL_PORT if context.dry_run else next(free)


def allocate_health_port(spec: Obj, others: list[Obj], context: Context) -> list[FieldError]:
    if wants_health_port(spec) and not spec.get("healthCheckNodePort"):
        own = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
        taken = own | {number for _, number in taken_node_ports(others)}
        spec["healthCheckNodePort"] = next(number for number in NODE_PORTS if number not in taken)
    return []
