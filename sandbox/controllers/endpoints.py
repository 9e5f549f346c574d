"""EndpointSlices and Endpoints: the addresses behind a Service."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from sandbox import selectors
from sandbox.controllers import owners, pods
from sandbox.controllers.base import Controller, Watched

Obj = dict[str, Any]

MANAGED_BY = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
BATCH = 0.02  # seconds in which changes of pods are gathered into one write


class Traits(NamedTuple):
    """What of a pod an endpoint depends on."""

    labels: tuple[tuple[str, str], ...]
    address: str
    ready: bool
    terminating: bool
    finished: bool


def traits(pod: Obj) -> Traits:
    address = (pod.get("status") or {}).get("podIP", "")
    labels = tuple(sorted(selectors.labels_of(pod).items()))
    finished = pods.phase(pod) in pods.FINISHED
    return Traits(labels, address, pods.ready(pod), pods.terminating(pod), finished)


class Endpoints(Controller):
    """Keys are Services. A pod wakes those that select it, or did before."""

    watches = (Watched("v1", "Service"), Watched("v1", "Pod", lambda pod: ()))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._selectors: defaultdict[str, dict[str, selectors.Labels]] = defaultdict(dict)
        self._pods: dict[tuple[str, str], Traits] = {}

    def seen(self, row: Watched, obj: Obj) -> None:
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if row.kind == "Service":
            self._selectors[namespace][name] = obj["spec"].get("selector") or {}
            return
        before, after = self._pods.get((namespace, name)), traits(obj)
        if before != after:
            self._pods[namespace, name] = after
            self._wake_services(namespace, before, after)

    def lost(self, row: Watched, obj: Obj) -> None:
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if row.kind == "Service":
            self._selectors[namespace].pop(name, None)
        else:
            self._wake_services(namespace, self._pods.pop((namespace, name), None))

    def _wake_services(self, namespace: str, *states: Traits | None) -> None:
        for name, selector in self._selectors[namespace].items():
            if selector and any(state and selectors.includes(dict(state.labels), selector) for state in states):
                self.wake(namespace, name, after=BATCH)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        service = await self.client.get("v1", "Service", name, namespace)
        if service is None:
            await self.client.delete("v1", "Endpoints", name, namespace)
            return None
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName" or pods.terminating(service):
            return None
        found = await self.client.list("v1", "Pod", namespace, labels=selector)
        backends = [
            pod for pod in found if (pod.get("status") or {}).get("podIP") and pods.phase(pod) not in pods.FINISHED
        ]
        await self._write_slice(service, backends)
        await self._write_endpoints(service, [pod for pod in backends if not pods.terminating(pod)])
        return None

    async def _write_slice(self, service: Obj, backends: list[Obj]) -> None:
        metadata = service["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        wanted: Obj = {
            "endpoints": [endpoint(service, pod) for pod in backends] or None,
            "ports": slice_ports(service, backends) or None,
        }
        labels = {
            **selectors.labels_of(service),
            SERVICE_NAME: name,
            "endpointslice.kubernetes.io/managed-by": MANAGED_BY,
        }
        if service["spec"].get("clusterIP") == "None":
            labels[HEADLESS_LABEL] = ""
        present = await self._slices(namespace, name)
        if not present:
            head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
            made = {"generateName": f"{name}-", "namespace": namespace, "labels": labels}
            made["ownerReferences"] = [owners.reference(service)]
            await self.client.create({**head, "metadata": made, **wanted})
            return
        one = present[0]
        if {key: one.get(key) for key in wanted} != wanted or selectors.labels_of(one) != labels:
            await self.client.update({**one, "metadata": {**one["metadata"], "labels": labels}, **wanted})

    async def _slices(self, namespace: str, name: str) -> list[Obj]:
        labels = {SERVICE_NAME: name, "endpointslice.kubernetes.io/managed-by": MANAGED_BY}
        return await self.client.list("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=labels)

    async def _write_endpoints(self, service: Obj, backends: list[Obj]) -> None:
        metadata = service["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        subsets = subsets_of(service, backends)
        labels = {**selectors.labels_of(service), "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
        body = {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "subsets": subsets}
        present = await self.client.get("v1", "Endpoints", name, namespace)
        if present is None:
            await self.client.create({"apiVersion": "v1", "kind": "Endpoints", **body})
        elif (present.get("subsets") or []) != subsets or selectors.labels_of(present) != labels:
            changed = {**present, "metadata": {**present["metadata"], "labels": labels}, "subsets": subsets}
            await self.client.update(changed)


def endpoint(service: Obj, pod: Obj) -> Obj:
    """One entry of an EndpointSlice."""
    metadata, status = pod["metadata"], pod["status"]
    serving, leaving = pods.ready(pod), pods.terminating(pod)
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    found: Obj = {
        "addresses": [status["podIP"]],
        "conditions": {"ready": always or (serving and not leaving), "serving": serving, "terminating": leaving},
        "targetRef": target(metadata),
        "nodeName": pod["spec"].get("nodeName"),
    }
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == service["metadata"]["name"]:
        found["hostname"] = pod["spec"]["hostname"]
    return found


def target(metadata: Obj) -> Obj:
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def slice_ports(service: Obj, backends: list[Obj]) -> list[Obj]:
    """The ports as the pods have them: a named target port is looked up in the first pod."""
    ports = [(port, number_of(port, backends[0])) for port in service["spec"].get("ports") or () if backends]
    return [slice_port(port, number) for port, number in ports if number]


def slice_port(port: Obj, number: int) -> Obj:
    found = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
    return found | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})


def number_of(port: Obj, pod: Obj) -> int | None:
    """The number of a Service's target port in this pod; None where no container has a port of that name."""
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    declared = [p for c in containers for p in c.get("ports") or ()]
    return next((int(p["containerPort"]) for p in declared if p.get("name") == wanted), None)


def subsets_of(service: Obj, backends: list[Obj]) -> list[Obj]:
    """The same in the words of Endpoints: ready and unready addresses over the ports."""
    if not backends:
        return []
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    subset: Obj = {}
    for key, chosen in (("addresses", True), ("notReadyAddresses", False)):
        addresses = [address(pod) for pod in backends if (always or pods.ready(pod)) is chosen]
        if addresses:
            subset[key] = addresses
    if ports := slice_ports(service, backends):
        subset["ports"] = [{k: v for k, v in port.items() if v != ""} for port in ports]
    return [subset]


def address(pod: Obj) -> Obj:
    found = {
        "ip": pod["status"]["podIP"],
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": target(pod["metadata"]),
    }
    if pod["spec"].get("subdomain") and pod["spec"].get("hostname"):
        found["hostname"] = pod["spec"]["hostname"]
    return found
