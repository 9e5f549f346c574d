"""Services, VirtualService and DestinationRules that Flagger makes for a Canary, and the weights in them. Pure.

Weights live in the VirtualService alone. A change of the Canary's routing settings rewrites the VirtualService from
scratch, weights included: in the middle of an analysis that sends everything back to the primary.
"""

from __future__ import annotations

import copy
from typing import Any

from sandbox.standins.flagger.machine import Routes
from sandbox.standins.flagger.spec import Canary

Obj = dict[str, Any]

ISTIO = "networking.istio.io/v1beta1"
ORIGINAL = "flagger.kubernetes.io/original-configuration"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HANDS_OFF = {  # so that Flux leaves alone what Flagger made
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}
_COMMON = ("match", "rewrite", "timeout", "retries", "corsPolicy", "headers")


def service(canary: Canary, name: str, label: str, value: str, meta: Obj, extra_ports: dict[str, int]) -> Obj:
    """The Service `name`, selecting `label`=`value`. `meta` holds labels and annotations from the Canary."""
    settings = canary.service
    port: Obj = {
        "name": settings.get("portName") or "http",
        "protocol": "TCP",
        "port": settings["port"],
        "targetPort": settings.get("targetPort") or settings["port"],
    }
    if settings.get("appProtocol"):
        port["appProtocol"] = settings["appProtocol"]
    others = [
        {"name": n, "protocol": "TCP", "port": number, "targetPort": number}
        for n, number in sorted(extra_ports.items())
    ]
    spec: Obj = {"type": "ClusterIP", "selector": {label: value}, "ports": [port, *others]}
    if settings.get("headless"):
        spec["clusterIP"] = "None"
    if settings.get("trafficDistribution"):
        spec["trafficDistribution"] = settings["trafficDistribution"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": canary.namespace,
            "labels": {**(meta.get("labels") or {}), label: name},
            "annotations": {**(meta.get("annotations") or {}), **HANDS_OFF},
            "ownerReferences": [canary.owner],
        },
        "spec": spec,
    }


def merged_service(canary: Canary, live: Obj, wanted: Obj) -> Obj | None:
    """The live Service brought to `wanted`; None when nothing is to be written.

    Labels and annotations are only touched on a Service that this Canary made.
    """
    merged = copy.deepcopy(live)
    ports = copy.deepcopy(wanted["spec"]["ports"])
    for port in ports:
        known: Obj = next((p for p in live["spec"].get("ports") or () if p.get("name") == port["name"]), {})
        if known.get("nodePort"):
            port["nodePort"] = known["nodePort"]
    merged["spec"].update(ports=ports, selector=wanted["spec"]["selector"])
    if owned(canary, live):
        unmanaged = canary.service.get("unmanagedMetadata") or {}
        for field in ("labels", "annotations"):
            had = live["metadata"].get(field) or {}
            kept = {key: had[key] for key in unmanaged.get(field) or () if key in had}
            merged["metadata"][field] = {**wanted["metadata"][field], **kept}
    if _same_service(merged, live):
        return None
    merged["metadata"]["annotations"] = {**(merged["metadata"].get("annotations") or {}), **HANDS_OFF}
    return merged


def owned(canary: Canary, obj: Obj) -> bool:
    """Whether this Canary is the object's controller."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(o.get("controller") and o["kind"] == "Canary" and o["name"] == canary.name for o in owners)


def discovered_ports(canary: Canary, target: Obj) -> dict[str, int]:
    """With `portDiscovery`: the further container ports of the target, the mesh's proxies left out."""
    if not canary.service.get("portDiscovery"):
        return {}
    own = canary.service.get("targetPort") or canary.service["port"]
    found = {}
    for container in target["spec"]["template"]["spec"].get("containers") or ():
        for index, port in enumerate(container.get("ports") or ()):
            if container["name"] not in {"istio-proxy", "envoy"} and own not in (
                port["containerPort"],
                port.get("name"),
            ):
                found[port.get("name") or f"tcp-{container['name']}-{index}"] = port["containerPort"]
    return found


def destination_rule(canary: Canary, host: str) -> Obj:
    """The DestinationRule for one of the two twins; both carry the Canary's traffic policy."""
    spec: Obj = {"host": host}
    if canary.service.get("trafficPolicy"):
        spec["trafficPolicy"] = copy.deepcopy(canary.service["trafficPolicy"])
    metadata = {"name": host, "namespace": canary.namespace, "ownerReferences": [canary.owner]}
    return {"apiVersion": ISTIO, "kind": "DestinationRule", "metadata": metadata, "spec": spec}


def virtual_service(canary: Canary, label: str) -> Obj:
    """The VirtualService as it is first made, everything on the primary.

    Where the Canary says something about the apex Service, it has that Service's label `label` too.
    """
    settings = canary.service
    meta = settings.get("apex") or {}
    labels = {**(meta.get("labels") or {}), label: canary.apex} if settings.get("apex") is not None else {}
    hosts = list(settings.get("hosts") or ())
    if canary.apex not in hosts and "*" not in hosts:
        hosts.append(canary.apex)
    spec: Obj = {"hosts": hosts, "gateways": list(settings.get("gateways") or ["mesh"])}
    if settings.get("delegation"):
        spec = {"hosts": []}
    return {
        "apiVersion": ISTIO,
        "kind": "VirtualService",
        "metadata": {
            "name": canary.apex,
            "namespace": canary.namespace,
            "labels": labels,
            "annotations": {**(meta.get("annotations") or {}), **HANDS_OFF},
            "ownerReferences": [canary.owner],
        },
        "spec": {**spec, **_http_or_tcp(canary, 100, 0, first=True)},
    }


def merged_virtual_service(live: Obj, wanted: Obj, *, original: str) -> Obj | None:
    """The live VirtualService brought to `wanted`; None when they differ in weights and mirrors at most.

    `original` (JSON of the spec that is replaced) is kept in an annotation, for a revert.
    """
    metadata = live["metadata"]
    had = metadata.get("annotations") or {}
    annotations = {**wanted["metadata"]["annotations"], **{k: had[k] for k in (ORIGINAL, LAST_APPLIED) if k in had}}
    same_spec = _weightless(live["spec"]) == _weightless(wanted["spec"])
    if same_spec and had == annotations and (metadata.get("labels") or {}) == wanted["metadata"]["labels"]:
        return None
    if not same_spec and LAST_APPLIED not in had:
        annotations[ORIGINAL] = original
    merged = copy.deepcopy(live)
    merged["spec"] = copy.deepcopy(wanted["spec"])
    merged["metadata"].update(annotations=annotations, labels=wanted["metadata"]["labels"])
    return merged


def weights(canary: Canary, virtual: Obj | None) -> Routes:
    """The weights that the VirtualService has now."""
    name = f"VirtualService {canary.apex}.{canary.namespace}"
    if virtual is None:
        return Routes(problem=missing(canary))
    found = Routes(0, 0)
    for route in virtual["spec"].get("tcp" if _is_tcp(canary) else "http") or ():
        shares = {d["destination"]["host"]: d.get("weight", 0) for d in route.get("route") or ()}
        if f"{canary.apex}-canary" in shares:
            mirrored = bool((route.get("mirror") or {}).get("host"))
            found = Routes(shares.get(f"{canary.apex}-primary", 0), shares[f"{canary.apex}-canary"], mirrored)
    if found.primary == found.canary == 0:
        problem = f"{name} does not contain routes for {canary.apex}-primary and {canary.apex}-canary"
        return Routes(problem=problem)
    return found


def missing(canary: Canary) -> str:
    """What is said when the VirtualService is not there."""
    name = f"VirtualService {canary.apex}.{canary.namespace}"
    return f'{name} get query error virtualservices.networking.istio.io "{canary.apex}" not found'


def with_weights(canary: Canary, virtual: Obj, primary: int, weight: int, *, mirrored: bool) -> Obj:
    """The VirtualService with these weights; its routes are written anew from the Canary."""
    made = copy.deepcopy(virtual)
    routes = _http_or_tcp(canary, primary, weight, first=False)
    if mirrored and "http" in routes and not canary.analysis.match:
        routes["http"][0]["mirror"] = {"host": f"{canary.apex}-canary"}
        if canary.analysis.mirror_weight:
            routes["http"][0]["mirrorPercentage"] = {"value": canary.analysis.mirror_weight}
    made["spec"].update(routes)
    return made


def _http_or_tcp(canary: Canary, primary: int, weight: int, *, first: bool) -> Obj:
    both = [_to(canary, f"{canary.apex}-primary", primary), _to(canary, f"{canary.apex}-canary", weight)]
    if _is_tcp(canary):
        match = [{"port": m["port"]} for m in canary.service.get("match") or () if "port" in m]
        return {"tcp": [{**({"match": match} if match else {}), "route": both}]}
    common = {key: copy.deepcopy(canary.service[key]) for key in _COMMON if canary.service.get(key)}
    if "rewrite" in common:
        common["rewrite"].pop("type", None)
    if not canary.analysis.match:
        return {"http": [{**common, "route": both}]}
    # An A/B test: requests that match go by the weights, all others to the primary. The second route's weight follows
    # the first's, 0 included; Istio ignores the weight of a single destination.
    alone = [_to(canary, f"{canary.apex}-primary", 100 if first else primary)]
    return {"http": [{**common, "match": _matches(canary), "route": both}, {**common, "route": alone}]}


def _matches(canary: Canary) -> list[Obj]:
    conditions, defaults = list(canary.analysis.match), canary.service.get("match") or []
    if not defaults:
        return copy.deepcopy(conditions)
    kept = ("headers", "sourceLabels")
    return [
        {**copy.deepcopy(default), **{key: condition[key] for key in kept if key in condition}}
        for condition in conditions
        for default in defaults
    ]


def _to(canary: Canary, host: str, weight: int) -> Obj:
    gateways = list(canary.service.get("gateways") or ())
    outside = bool(gateways) and gateways[0] != "mesh"
    destination: Obj = {"host": host}
    if canary.service.get("portDiscovery") and (outside or canary.service.get("delegation")):
        destination["port"] = {"number": canary.service["port"]}
    return {"destination": destination, "weight": weight}


def _is_tcp(canary: Canary) -> bool:
    return str(canary.service.get("appProtocol", "")).lower() == "tcp"


def _weightless(spec: Obj) -> Obj:
    plain = copy.deepcopy(spec)
    for route in [*(plain.get("http") or ()), *(plain.get("tcp") or ())]:
        route.pop("mirror", None)
        route.pop("mirrorPercentage", None)
        for destination in route.get("route") or ():
            destination.pop("weight", None)
    return plain


def _same_service(a: Obj, b: Obj) -> bool:
    def facts(obj: Obj) -> tuple[Any, ...]:
        ports = sorted(obj["spec"].get("ports") or (), key=lambda port: port["port"])
        metadata = obj["metadata"]
        return ports, obj["spec"].get("selector"), metadata.get("labels") or {}, metadata.get("annotations") or {}

    return facts(a) == facts(b)
