"""The traffic model: requests that nobody sends, and the metrics that they would leave.

    rates       requests per second for each Service (settable; a default for each Service with a proxy behind it)
    behaviour   error rate and latency for each image, set when an image is pushed
    loads       what load tests add for a while
        │
        ▼   step(topology, elapsed): flows.py shares the requests out by routes, weights and ready pods
    counters and histograms under Istio's names and labels, on the page of the proxy that would count them

A step is pure arithmetic over the elapsed time: the same steps give the same numbers. Rates are per real second,
whatever the sandbox's speed, because they are read by clients with real clocks.

Not modelled: requests refused by AuthorizationPolicies, retries, circuit breakers, and latency of the proxies.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox import cli, control, flows, telemetry, topology
from sandbox.control import Route
from sandbox.flows import Headers, Security
from sandbox.metrics import Metrics
from sandbox.telemetry import Behaviour, Leg
from sandbox.topology import Pod, Service, Topology, Workload

if TYPE_CHECKING:
    from sandbox.api.replies import Request
    from sandbox.client import Client
    from sandbox.clock import Clock
    from sandbox.cluster import Cluster

log = logging.getLogger(__name__)
PACE = 1.0  # real seconds between two steps; each scrape makes one more
DEFAULT_RPS = 20.0  # for each Service that has a proxy behind it
QUIET_IMAGES = frozenset({"flagger-loadtester", "flagger"})  # nobody calls these by default


class Load(NamedTuple):
    """Requests that a load test sends to a Service until a moment."""

    namespace: str
    service: str
    rps: float
    until: datetime
    source: tuple[str, str]  # namespace and name of the workload that sends them
    headers: Headers = flows.NONE


class Edge(NamedTuple):
    """One caller, one destination: what the last step sent, for graphs."""

    source_namespace: str
    source: str  # "unknown" for callers outside the mesh
    namespace: str
    workload: str
    service: str
    protocol: str  # http or tcp
    mutual_tls: bool
    rps: float
    errors: float  # of these, those that end in 5xx


@dataclass
class Traffic:
    """The state of the model. `metrics` is where it writes."""

    clock: Clock
    metrics: Metrics = field(default_factory=Metrics)
    default_rps: float = DEFAULT_RPS

    def __post_init__(self) -> None:
        self.rates: dict[tuple[str, str], float] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.loads: list[Load] = []
        self.edges: list[Edge] = []
        self.topology = Topology({})
        self._last = self.clock.now()

    def set_rate(self, namespace: str, service: str, rps: float | None) -> None:
        """Requests per second for a Service; None gives it the default again."""
        if rps is None:
            self.rates.pop((namespace, service), None)
        else:
            self.rates[namespace, service] = rps

    def rate(self, service: Service) -> float:
        """What the Service gets now, load tests apart."""
        if (service.namespace, service.name) in self.rates:
            return self.rates[service.namespace, service.name]
        pods = self.topology.behind(service)
        called = any(pod.proxied and not pod.gateway and not _is_quiet(pod) for pod in pods)
        return self.default_rps if called and not service.canary_twin else 0.0

    def behave(
        self,
        image: str,
        *,
        digest: str | None = None,
        error_rate: float | None = None,
        latency_p50: float | None = None,
        latency_p99: float | None = None,
    ) -> Behaviour:
        """Set how pods of `image` (host/repository:tag) and of `digest` answer; None keeps the default of a number."""
        set_to = {"error_rate": error_rate, "latency_p50": latency_p50, "latency_p99": latency_p99}
        behaviour = Behaviour(**{name: value for name, value in set_to.items() if value is not None})
        for key in (_key(image), digest):
            if key:
                self.behaviours[key] = behaviour
        return behaviour

    def behaviour(self, image: str) -> Behaviour:
        """How pods of `image` answer: known by digest first, then by repository and tag."""
        name, _, digest = image.partition("@")
        for key in (digest, _key(name)):
            if key in self.behaviours:
                return self.behaviours[key]
        return Behaviour()

    def add_load(self, load: Load) -> None:
        """Start a load test; one from the same source to the same Service is replaced."""
        self.loads = [x for x in self.loads if (x.source, x.namespace, x.service) != (load.source, *load[:2])] + [load]

    def loaded(self, namespace: str, service: str, source: tuple[str, str]) -> bool:
        """Whether a load test from `source` to the Service is running."""
        now = self.clock.now()
        return any(
            load[:2] == (namespace, service) and load.source == source and load.until > now for load in self.loads
        )

    def ready(self, namespace: str, service: str) -> bool:
        """Whether somebody answered behind the Service at the last step."""
        found = self.topology.services.get((namespace, service))
        return found is not None and bool(self.topology.behind(found))

    async def run(self, client: Client) -> None:
        """Step until cancelled."""
        while True:
            await self.catch_up(client)
            await asyncio.sleep(PACE)

    async def catch_up(self, client: Client) -> None:
        """Make one step for the time since the last one."""
        try:
            found = await topology.read(client)
            self.step(found, (self.clock.now() - self._last).total_seconds())
        except (KeyError, TypeError, AttributeError, ValueError):
            log.exception("an object that the traffic model cannot read: no traffic in this step")

    def step(self, found: Topology, elapsed: float) -> None:
        """Let `elapsed` seconds of requests pass through `found`. Steps over a clock that jumped back count as none."""
        self.topology, self._last = found, self.clock.now()
        self.loads = [load for load in self.loads if load.until > self._last - timedelta(seconds=elapsed)]
        telemetry.keep_pages(self.metrics, found)
        if elapsed <= 0:
            return
        edges: dict[tuple[object, ...], Edge] = {}
        for demand in self._demands():
            for leg in _legs(found, demand):
                edge = self._count(leg, elapsed)
                edges[edge[:-2]] = _sum(edges.get(edge[:-2]), edge)
        self.edges = list(edges.values())

    def _demands(self) -> Iterator[Demand]:
        for service in self.topology.services.values():
            if rps := self.rate(service):
                sources = flows.callers(self.topology, service)
                yield from (Demand(source, service, rps / len(sources)) for source in sources)
        for load in self.loads:
            if loaded := self.topology.services.get((load.namespace, load.service)):
                yield Demand(self.topology.workloads.get(load.source), loaded, load.rps, load.headers)

    def _count(self, leg: Leg, elapsed: float) -> Edge:
        behaviour = self.behaviour(leg.pods[0].image) if leg.pods else Behaviour()
        ended = telemetry.answers(leg, behaviour)
        for answer in ended:
            telemetry.record(self.metrics, leg, answer, leg.rps * elapsed * answer.share)
        return Edge(
            source_namespace=leg.caller.namespace if leg.caller else "unknown",
            source=leg.caller.name if leg.caller else "unknown",
            namespace=leg.service.namespace,
            workload=leg.pods[0].workload if leg.pods else "unknown",
            service=leg.service.name,
            protocol="tcp" if leg.tcp else "http",
            mutual_tls=leg.security == Security.MUTUAL,
            rps=leg.rps,
            errors=leg.rps * sum(answer.share for answer in ended if answer.code.startswith("5")),
        )


class Demand(NamedTuple):
    caller: Workload | None
    service: Service
    rps: float
    headers: Headers = flows.NONE


def _legs(found: Topology, demand: Demand) -> Iterator[Leg]:
    tcp = bool(demand.service.ports) and demand.service.ports[0].tcp
    for split in flows.splits(found, demand.service, demand.caller, demand.headers):
        groups = flows.alike(found.behind(split.service))
        total = sum(map(len, groups))
        for pods in groups:
            secured = flows.security(found, demand.caller, split.service, pods[0])
            leg = Leg(demand.caller, split.service, tuple(pods), 0.0, secured, tcp)
            part = demand.rps * len(pods) / total
            yield from _parts(leg, part * split.share, part * split.mirrored)
        if not total and split.share:
            yield Leg(demand.caller, split.service, (), demand.rps * split.share, Security.PLAIN, tcp)


def _parts(leg: Leg, rps: float, mirrored: float) -> Iterator[Leg]:
    if rps:
        yield leg._replace(rps=rps)
    if mirrored and leg.security != Security.REFUSED:
        yield leg._replace(rps=mirrored, mirrored=True)


def _sum(before: Edge | None, edge: Edge) -> Edge:
    return edge._replace(rps=before.rps + edge.rps, errors=before.errors + edge.errors) if before else edge


def _is_quiet(pod: Pod) -> bool:
    return topology.basename(pod.image) in QUIET_IMAGES


def _key(image: str) -> str:
    """Repository and tag without the registry's host, so that a mirror's name means the same image."""
    head, _, rest = image.partition("@")[0].partition("/")
    is_host = bool(rest) and ("." in head or ":" in head or head == "localhost")
    return rest if is_host else image.partition("@")[0]


def control_routes(cluster: Cluster) -> list[Route]:
    """Rates over the control API. `namespace` may be left out where only one Service has the name."""
    traffic = cluster.traffic

    async def show(_: Request) -> Any:
        services = traffic.topology.services.values()
        rates = {f"{s.namespace}/{s.name}": rate for s in services if (rate := traffic.rate(s))}
        loads = [
            {**load._asdict(), "until": load.until.isoformat(), "headers": dict(load.headers)} for load in traffic.loads
        ]
        return {"rates": rates, "loads": loads, "edges": [edge._asdict() for edge in traffic.edges]}

    async def change(request: Request) -> Any:
        body = control.body_of(request)
        rps = body.get("rps")
        if rps is not None and (not isinstance(rps, int | float) or rps < 0):
            raise control.Refused("'rps' must be a number of at least 0, or null for the default")
        await traffic.catch_up(cluster.client("traffic"))
        namespace, name = _found(traffic, control.text(body, "service"), body.get("namespace"))
        traffic.set_rate(namespace, name, rps)
        return {
            "service": name,
            "namespace": namespace,
            "rps": traffic.rate(traffic.topology.services[namespace, name]),
        }

    return [
        Route("GET", "traffic", show, "requests per second by Service, load tests, and who calls whom"),
        Route("POST", "traffic", change, "set a rate: {service, namespace, rps}; rps null gives the default again"),
    ]


def _found(traffic: Traffic, service: str, namespace: str | None) -> tuple[str, str]:
    """The Service that is meant, as (namespace, name). Raises Refused."""
    first, _, rest = service.partition("/")
    namespace, name = (first, rest) if rest else (namespace, service)
    found = [key for key in traffic.topology.services if key[1] == name and namespace in (None, key[0])]
    if len(found) == 1:
        return found[0]
    if found:
        raise control.Refused(f"Service {name} is in several namespaces: {', '.join(sorted(n for n, _ in found))}")
    raise control.Refused(f"there is no Service {service}" + (f" in namespace {namespace}" if namespace else ""))


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", nargs="?", help="a Service, as NAME or NAMESPACE/NAME; without one: show all rates")
    parser.add_argument("--rps", type=float, help="requests per second (without: the default rate again)")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.service is None:
        found = cli.call(arguments.state, "GET", "traffic")
        for name, rps in found["rates"].items():
            print(f"{name}: {rps:g} requests/s")
        return 0
    body = {"service": arguments.service, "rps": arguments.rps}
    found = cli.call(arguments.state, "POST", "traffic", body)
    print(f"{found['namespace']}/{found['service']}: {found['rps']:g} requests/s")
    return 0


VERBS = [cli.Verb("traffic", "set or show the requests per second of a Service", _arguments, _run)]
