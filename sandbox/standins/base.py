"""How a stand-in wakes up and goes to sleep.

A real program runs where its image runs. So does a stand-in: the `Supervisor` watches Deployments, and for each one
with a container whose image is called like one of a stand-in's `image_names` (the last part of the repository, so
`registry.istio.io/release/pilot:1.30.3` is `pilot`) it makes one instance:

    Deployment available ──► awake(deployment) ──► apps() answer behind its Services
    template changed     ──► asleep(), awake(deployment)         (the new pods are up)
    not available, gone  ──► asleep()

A subclass says what it serves in `apps` (container port → ASGI app) and what it does besides in `awake`; long-running
work goes through `spawn`, which ends it on sleep. Which Services lead to those ports is found by their selectors and
kept current, so `http://name.namespace:port` works for each of them, as it would in a cluster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.types import ASGIApp

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock
    from sandbox.network import Network
    from sandbox.registry import Registry
    from sandbox.traffic import Traffic

Obj = dict[str, Any]
Key = tuple[str, str]  # namespace, name
Backend = ASGIApp | str  # an app, or the URL of a loopback server that has TLS of its own

log = logging.getLogger(__name__)
RETRY_AFTER = 1.0  # seconds until a failed waking is tried again


@dataclass(frozen=True)
class Surroundings:
    """What a stand-in finds around it. `client` gives a client for a field manager's name."""

    client: Callable[[str], Client]
    network: Network
    clock: Clock
    traffic: Traffic | None = None  # None in tests that do without
    registry: Registry | None = None


class StandIn:
    """One running program: made for one Deployment, and forgotten when that goes."""

    image_names: ClassVar[tuple[str, ...]] = ()
    manager: ClassVar[str] = "stand-in"  # its field manager

    def __init__(self, around: Surroundings, deployment: Obj) -> None:
        self.around = around
        self.deployment = deployment
        self.client = around.client(self.manager)
        self.clock = around.clock
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def namespace(self) -> str:
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    def apps(self) -> Mapping[int, Backend]:
        """Container port → what answers there while awake; asked once after `awake`."""
        return {}

    async def awake(self, deployment: Obj) -> None:
        """The Deployment is available; may raise, and is then tried again."""

    async def asleep(self) -> None:
        """The Deployment is no longer available, its template changed, or `awake` failed; `spawn`ed work has ended."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends or the stand-in sleeps. An error in it is logged, and ends only itself."""
        self._tasks.append(asyncio.create_task(self._guarded(work)))

    async def end_tasks(self) -> None:
        """Cancel what `spawn` started, and wait for it."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # the outermost frame of a stand-in: the cluster lives on, its log says what broke
            log.exception("%s of %s/%s stopped", type(self).__name__, self.namespace, self.name)


@dataclass
class _Running:
    standin: StandIn
    template: Obj
    apps: Mapping[int, Backend] = field(default_factory=dict)
    served: set[tuple[str, int]] = field(default_factory=set)  # (service, port) registered in the network


class Supervisor:
    """Wakes and lays to rest the stand-ins of `kinds` as their Deployments come and go."""

    def __init__(self, around: Surroundings, *, kinds: Sequence[type[StandIn]]) -> None:
        self.around = around
        self.client = around.client("stand-ins")
        self.kinds = {name: kind for kind in kinds for name in kind.image_names}
        self.running: dict[Key, _Running] = {}
        self._services: dict[Key, Obj] = {}
        self._failed: dict[Key, asyncio.Task[None]] = {}
        self._endings: set[asyncio.Task[None]] = set()  # outlive a cancelled watch: they close sockets

    async def run(self) -> None:
        """Watch until cancelled; then everything sleeps."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow("v1", "Service", self.on_service))
                group.create_task(self._follow("apps/v1", "Deployment", self.on_deployment))
        finally:
            for task in self._failed.values():
                task.cancel()
            for key in list(self.running):
                await self._lay_to_rest(key)
            await asyncio.gather(*self._endings)

    async def _follow(
        self, api_version: str, kind: str, handle: Callable[[str, Obj], Coroutine[Any, Any, None]]
    ) -> None:
        events: AsyncIterator[tuple[str, Obj]] = self.client.watch(api_version, kind)
        async for change, obj in events:
            try:
                await handle(change, obj)
            except Exception:  # the outermost frame of a watch: one odd object must not put all stand-ins to sleep
                log.exception("stand-ins: %s %s/%s", kind, *_key(obj))

    async def on_deployment(self, change: str, deployment: Obj) -> None:
        """One event of the watch on Deployments."""
        kind = self._kind_of(deployment)
        key = _key(deployment)
        if change == "DELETED" or kind is None or not _available(deployment):
            await self._lay_to_rest(key)
        elif key not in self.running:
            await self._wake(kind, deployment)
        elif _rolled_out(deployment) and self.running[key].template != deployment["spec"]["template"]:
            await self._lay_to_rest(key)
            await self._wake(kind, deployment)

    async def on_service(self, change: str, service: Obj) -> None:
        """One event of the watch on Services."""
        if change == "DELETED":
            self._services.pop(_key(service), None)
        else:
            self._services[_key(service)] = service
        for key in self.running:
            if key[0] == service["metadata"]["namespace"]:
                self._register(key)

    def _kind_of(self, deployment: Obj) -> type[StandIn] | None:
        for container in deployment["spec"]["template"]["spec"].get("containers", []):
            if kind := self.kinds.get(image_name(container.get("image", ""))):
                return kind
        return None

    async def _wake(self, kind: type[StandIn], deployment: Obj) -> None:
        key = _key(deployment)
        standin = kind(self.around, deployment)
        try:
            await standin.awake(deployment)
        except asyncio.CancelledError:
            self._end(standin)
            raise
        except Exception as error:  # noqa: BLE001 - outermost: a stand-in that cannot start is tried again
            log.warning("%s of %s/%s cannot start yet: %s", kind.__name__, *key, error)
            await asyncio.shield(self._end(standin))
            self._failed[key] = asyncio.create_task(self._wake_later(key))
            return
        self.running[key] = _Running(standin, deployment["spec"]["template"], apps=standin.apps())
        self._register(key)

    async def _wake_later(self, key: Key) -> None:
        await self.around.clock.sleep(RETRY_AFTER)
        self._failed.pop(key, None)
        deployment = await self.client.get("apps/v1", "Deployment", key[1], key[0])
        if deployment is not None and key not in self.running:
            await self.on_deployment("MODIFIED", deployment)

    async def _lay_to_rest(self, key: Key) -> None:
        if task := self._failed.pop(key, None):
            task.cancel()
        running = self.running.pop(key, None)
        if running is None:
            return
        for service, port in running.served:
            self.around.network.unregister(key[0], service, port)
        await asyncio.shield(self._end(running.standin))

    def _end(self, standin: StandIn) -> asyncio.Task[None]:
        async def end() -> None:
            await standin.end_tasks()
            await standin.asleep()

        task = asyncio.create_task(end())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task

    def _register(self, key: Key) -> None:
        running = self.running[key]
        wanted = dict(_routes(running, key[0], self._services.values()))
        for service, port in running.served - wanted.keys():
            self.around.network.unregister(key[0], service, port)
        for (service, port), app in wanted.items():
            self.around.network.register(key[0], service, port, app)
        running.served = set(wanted)


def image_name(image: str) -> str:
    """`pilot` for `registry.istio.io/release/pilot:1.30.3@sha256:…`; `localhost:5000/a` is `a`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def image_tag(image: str) -> str:
    """`1.30.3` for `registry.istio.io/release/pilot:1.30.3@sha256:…`; empty without a tag."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def container_port(service_port: Obj, pod_spec: Obj) -> int | None:
    """The container port that a Service port leads to; None for a name that no container declares."""
    target = service_port.get("targetPort") or service_port["port"]
    if isinstance(target, int):
        return target
    containers = [*pod_spec.get("containers", []), *pod_spec.get("initContainers", [])]
    for declared in (port for container in containers for port in container.get("ports", [])):
        if declared.get("name") == target:
            return int(declared["containerPort"])
    return None


def selects(service: Obj, labels: Mapping[str, str]) -> bool:
    """Whether the Service's selector (not an empty one) matches these pod labels."""
    selector = service["spec"].get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()


def _routes(running: _Running, namespace: str, services: Iterable[Obj]) -> Iterator[tuple[tuple[str, int], Backend]]:
    labels = running.template["metadata"].get("labels", {})
    for service in services:
        if service["metadata"]["namespace"] != namespace or not selects(service, labels):
            continue
        for port in service["spec"].get("ports", []):
            number = container_port(port, running.template["spec"])
            if number is not None and number in running.apps:
                yield (service["metadata"]["name"], port["port"]), running.apps[number]


def _key(obj: Obj) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _available(deployment: Obj) -> bool:
    return int(deployment.get("status", {}).get("availableReplicas", 0)) > 0


def _rolled_out(deployment: Obj) -> bool:
    status = deployment.get("status", {})
    return (
        status.get("observedGeneration") == deployment["metadata"].get("generation")
        and status.get("updatedReplicas", 0) > 0
        and not status.get("unavailableReplicas")
    )
