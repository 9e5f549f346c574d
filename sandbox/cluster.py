"""The cluster: everything put together, started and stopped in order.

Use:

    async with Cluster(crds=True) as cluster:
        cluster.url, cluster.kubeconfig()      # for clients from outside
        cluster.client("somebody")             # from inside
"""

import asyncio
import base64
from collections.abc import Coroutine
from functools import partial
from typing import Any

from sandbox import control, faults, registry, traffic
from sandbox.api.access import Access
from sandbox.api.definitions import Definitions
from sandbox.api.http import Application
from sandbox.api.reviews import service_account_token
from sandbox.api.server import Server
from sandbox.certificates import Authority
from sandbox.charts.repository import Repository
from sandbox.client import Client
from sandbox.clock import Clock
from sandbox.controllers.manager import Controllers
from sandbox.network import Facts, Network
from sandbox.serving import HOST, Listener
from sandbox.standins import catalogue
from sandbox.standins.base import Supervisor, Surroundings

Obj = dict[str, Any]
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVER_NAMES = (HOST, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Cluster:
    """One simulated cluster. `facts` are what other parts add to the status (addresses of their own)."""

    def __init__(self, *, speed: float = 1.0, crds: bool = False, clock: Clock | None = None) -> None:
        self.clock = clock or Clock(speed)
        self.crds = crds
        self.network = Network(self._service_facts)
        self.server = Server(clock=self.clock, network=self.network)
        self.access = Access(self.clock)
        self.application = Application(self.server, self.access)
        self.authority = Authority()
        self.facts: Obj = {}
        self.stopping = asyncio.Event()
        self.controllers = Controllers(
            self.server,
            self.client,
            certificate=self.authority.pem.decode(),
            issue=partial(service_account_token, self.access),
        )
        self._definitions = Definitions(self.server)
        self.traffic = traffic.Traffic(self.clock)
        self.registry = registry.Registry(self.clock, traffic=self.traffic)
        around = Surroundings(self.client, self.network, self.clock, self.traffic, self.registry)
        self.standins = Supervisor(around, kinds=catalogue.KINDS)
        self._listener = Listener(self.application, certificate=self.authority.issue(*SERVER_NAMES))
        self._mirrors = {"registry": Listener(self.registry.app), "charts": Listener(Repository().app)}
        self._tasks: list[asyncio.Task[Any]] = []
        self.faults = faults.Faults(self)
        self.application.before = self.faults.before
        parts = (control, traffic, registry, faults)
        self.control = control.Control(route for part in parts for route in part.control_routes(self))
        self.application.control = self.control

    @property
    def url(self) -> str:
        return self._listener.url

    def client(self, manager: str) -> Client:
        """Return a client inside the process, with this field manager."""
        return Client(self.server, manager=manager)

    async def start(self, *, port: int = 0) -> None:
        """Fill in what every cluster has, start the controllers and the stand-ins, listen."""
        await self._furnish()
        self.run(self.controllers.run())
        self.run(self.traffic.run(self.client("traffic")))
        self.run(self.standins.run())
        for name, listener in self._mirrors.items():
            await listener.start()
            self.facts[name] = listener.url
        await self._listener.start(port)

    async def close(self) -> None:
        """Stop everything; afterwards nothing of it runs."""
        self.faults.clear()
        for watch in list(self.server.watches):
            watch.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._definitions.close()
        await asyncio.gather(*(listener.stop() for listener in (self._listener, *self._mirrors.values())))
        await self.registry.notifier.close()
        await self.network.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something until the cluster closes."""
        self._tasks.append(asyncio.create_task(work))

    def stop(self) -> None:
        """Ask whoever runs the cluster to close it."""
        self.stopping.set()

    async def __aenter__(self) -> "Cluster":
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def kubeconfig(self) -> Obj:
        """Return the kubeconfig of the administrator."""
        authority = base64.b64encode(self.authority.pem).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": "sandbox-admin", "user": {"token": self.access.token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox-admin"}}],
            "current-context": "sandbox",
        }

    async def _furnish(self) -> None:
        client = self.client("kube-apiserver")
        for name in NAMESPACES:
            await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await client.create(_KUBERNETES_SERVICE)
        if self.crds:
            from sandbox.charts import definitions

            for crd in definitions.crds():
                await client.create(crd)

    def _service_facts(self, namespace: str, service: str) -> Facts | None:
        found = self.server.store.get(("", "services"), namespace, service)
        if found is None:
            return None
        ports = tuple((port.get("name") or "", int(port["port"])) for port in found.obj["spec"].get("ports") or [])
        return Facts(ports, self._ready(namespace, service))

    def _ready(self, namespace: str, service: str) -> bool:
        for record in self.server.store.list(("discovery.k8s.io", "endpointslices"), namespace):
            labels = record.obj["metadata"].get("labels") or {}
            if labels.get("kubernetes.io/service-name") == service and _has_ready(record.obj):
                return True
        return False


def _has_ready(endpoint_slice: Obj) -> bool:
    endpoints = endpoint_slice.get("endpoints") or []
    return any((endpoint.get("conditions") or {}).get("ready", True) for endpoint in endpoints)


_KUBERNETES_SERVICE: Obj = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "kubernetes",
        "namespace": "default",
        "labels": {"component": "apiserver", "provider": "kubernetes"},
    },
    "spec": {
        "clusterIP": "10.96.0.1",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
    },
}
