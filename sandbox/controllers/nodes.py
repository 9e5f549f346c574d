"""The one node, and the addresses of load balancers: what a cloud and a machine would bring."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from sandbox.api.errors import ApiError
from sandbox.controllers.base import Controller, Watched
from sandbox.controllers.kubelet import NODE_ADDRESS

Obj = dict[str, Any]

NAME = "sandbox-node"
KUBELET = "v1.36.0"
LABELS = {
    "kubernetes.io/hostname": NAME,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
    "beta.kubernetes.io/os": "linux",
    "beta.kubernetes.io/arch": "amd64",
    "node-role.kubernetes.io/control-plane": "",
    "topology.kubernetes.io/region": "sandbox",
    "topology.kubernetes.io/zone": "sandbox-a",
}
BALANCERS = ipaddress.ip_network("203.0.113.0/24")  # reserved for documentation: nobody answers there


def identity() -> Obj:
    """Name and labels of the node."""
    return {"name": NAME, "labels": dict(LABELS)}


def status(now: str) -> Obj:
    """The status of a healthy node. There is no heartbeat: a cluster at rest writes nothing."""
    room = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "512Gi", "pods": "1000"}
    pressures = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return {
        "capacity": room,
        "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}, {"type": "Hostname", "address": NAME}],
        "conditions": [
            {
                "type": kind,
                "status": state,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
            }
            for kind, state, reason, message in pressures
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "00000000-0000-4000-8000-000000000001",
            "machineID": "5a4db0c5a4db0c5a4db0c5a4db0c5a4d",
            "systemUUID": "00000000-0000-4000-8000-000000000002",
            "containerRuntimeVersion": "containerd://2.1.0",
            "kernelVersion": "6.12.0",
            "kubeProxyVersion": "",
            "kubeletVersion": KUBELET,
            "operatingSystem": "linux",
            "osImage": "Meshflow sandbox",
        },
    }


class Nodes(Controller):
    """Makes the node when the loop starts, and again if somebody deletes it."""

    watches = (Watched("v1", "Node"),)

    async def run(self) -> None:
        self.wake(None, NAME)
        await super().run()

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        if name != NAME or await self.client.get("v1", "Node", NAME) is not None:
            return None
        spec = {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"], "providerID": f"sandbox://{NAME}"}
        made = await self.client.create({"apiVersion": "v1", "kind": "Node", "metadata": identity(), "spec": spec})
        await self.client.update({**made, "status": status(self.clock.timestamp())}, subresource="status")
        return None


class LoadBalancers(Controller):
    """Gives Services of type LoadBalancer an address of their own.

    `address` may be replaced by a function of the Service (None: it stays pending).
    """

    watches = (Watched("v1", "Service"),)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.address: Callable[[Obj], str | None] = self._free
        self._given: dict[str, str] = {}  # uid → address

    def _free(self, service: Obj) -> str:
        taken = set(self._given.values())
        return next(str(a) for a in BALANCERS.hosts() if str(a) not in taken)

    def lost(self, row: Watched, obj: Obj) -> None:
        self._given.pop(obj["metadata"]["uid"], None)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        service = await self.client.get("v1", "Service", name, namespace)
        if service is None or service["spec"].get("type") != "LoadBalancer":
            return None
        if service["spec"].get("loadBalancerClass") or (service["status"].get("loadBalancer") or {}).get("ingress"):
            return None
        uid = service["metadata"]["uid"]
        address = self._given.get(uid) or service["spec"].get("loadBalancerIP") or self.address(service)
        if address is None:
            return None
        self._given[uid] = address
        await self._publish(service, address)
        return None

    async def _publish(self, service: Obj, address: str) -> None:
        ingress = [{"ip": address, "ipMode": "VIP"}]
        status = {**service["status"], "loadBalancer": {"ingress": ingress}}
        try:
            await self.client.update({**service, "status": status}, subresource="status")
        except ApiError as error:
            if error.code != 404:
                raise
