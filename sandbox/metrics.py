"""What the programs of the cluster would expose on /metrics, page by page.

A page belongs to one scrape target: a pod's proxy, istiod, Flagger, Prometheus itself. Pages come and go with their
targets, so the series of a pod that is gone become stale in Prometheus, as they would in a cluster. Numbers are
floats: the traffic model is deterministic, and whole requests would bring rounding noise into small rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sandbox.latency import BOUNDS, Shape

Labels = tuple[tuple[str, str], ...]  # sorted by name

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FAMILIES: dict[str, tuple[str, str]] = {
    "istio_requests_total": ("counter", "Requests handled by an Istio proxy."),
    "istio_request_duration_milliseconds": ("histogram", "Duration of requests in milliseconds."),
    "istio_tcp_connections_opened_total": ("counter", "TCP connections opened."),
    "istio_tcp_connections_closed_total": ("counter", "TCP connections closed."),
    "istio_tcp_sent_bytes_total": ("counter", "Bytes sent during responses over TCP."),
    "istio_tcp_received_bytes_total": ("counter", "Bytes received during requests over TCP."),
    "istio_build": ("gauge", "Build of an Istio component."),
    "envoy_cluster_upstream_cx_active": ("gauge", "Active upstream connections of a proxy."),
    "pilot_info": ("gauge", "Version of the control plane."),
    "pilot_xds": ("gauge", "Proxies connected to this istiod."),
    "pilot_xds_pushes": ("counter", "Configuration pushes by type."),
    "pilot_total_xds_rejects": ("counter", "Configurations that a proxy refused."),
    "flagger_info": ("gauge", "Version and mesh provider of Flagger."),
    "flagger_canary_total": ("gauge", "Canaries in a namespace."),
    "flagger_canary_status": ("gauge", "Last analysis: 0 running, 1 successful, 2 failed."),
    "flagger_canary_weight": ("gauge", "Weight of a destination in the VirtualService."),
    "flagger_canary_metric_analysis": ("gauge", "Last value of each metric of an analysis."),
    "flagger_canary_successes_total": ("counter", "Analyses that ended well."),
    "flagger_canary_failures_total": ("counter", "Analyses that failed."),
}
_PARTS = ("_bucket", "_sum", "_count")


class Sample(NamedTuple):
    name: str
    labels: Labels
    value: float


class Target(NamedTuple):
    """Who exposes a page. `pod` is empty for a program that is scraped at a fixed address."""

    job: str
    instance: str  # host:port, as the `instance` label shows it
    namespace: str = ""
    pod: str = ""
    labels: Labels = ()  # further labels that service discovery adds to each series

    def all_labels(self) -> dict[str, str]:
        """The labels that Prometheus attaches to each series of the page."""
        labels = {"job": self.job, "instance": self.instance, **dict(self.labels)}
        if self.namespace:
            labels["namespace"] = self.namespace
        if self.pod:
            labels["pod"] = self.pod
        return labels


@dataclass
class Histogram:
    """Cumulative counts at `BOUNDS`, and the whole."""

    counts: list[float]
    total: float = 0.0
    sum: float = 0.0

    def add(self, amount: float, shape: Shape) -> None:
        self.counts = [count + amount * share for count, share in zip(self.counts, shape.shares, strict=True)]
        self.total += amount
        self.sum += amount * shape.mean


@dataclass
class Page:
    """The series of one target. A counter only grows (`add`), a gauge is set; `up` is whether a scrape succeeds."""

    up: bool = True
    series: dict[tuple[str, Labels], float] = field(default_factory=dict)
    histograms: dict[tuple[str, Labels], Histogram] = field(default_factory=dict)
    program: Page | None = None  # what the program in the pod exposes itself, merged by its proxy

    def add(self, name: str, labels: Labels, amount: float) -> None:
        key = (name, labels)
        self.series[key] = self.series.get(key, 0.0) + amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        self.series[name, sorted_labels(labels)] = value

    def observe(self, family: str, labels: Labels, amount: float, shape: Shape) -> None:
        """Add `amount` observations that are distributed as `shape`."""
        key = (family, labels)
        if key not in self.histograms:
            self.histograms[key] = Histogram([0.0] * len(BOUNDS))
        self.histograms[key].add(amount, shape)

    def drop(self, name: str, /, **labels: str) -> None:
        """Forget the series of `name` that carry these labels."""
        wanted = labels.items()
        for key in [k for k in self.series if k[0] == name and wanted <= dict(k[1]).items()]:
            del self.series[key]

    def clear(self) -> None:
        self.series.clear()
        self.histograms.clear()

    def samples(self) -> Iterator[Sample]:
        for (name, labels), value in self.series.items():
            yield Sample(name, labels, value)
        for (family, labels), histogram in self.histograms.items():
            for bounded, amount in zip(_bounded(labels), [*histogram.counts, histogram.total], strict=True):
                yield Sample(f"{family}_bucket", bounded, amount)
            yield Sample(f"{family}_sum", labels, histogram.sum)
            yield Sample(f"{family}_count", labels, histogram.total)
        if self.program is not None:
            yield from self.program.samples()

    def text(self) -> str:
        """The page in Prometheus' text format, families together and sorted."""
        lines: list[str] = []
        family = ""
        for name, labels, value in sorted(self.samples(), key=_order):
            if family_of(name) != family:
                family = family_of(name)
                kind, meaning = FAMILIES.get(family, ("untyped", "Set by the sandbox."))
                lines += [f"# HELP {family} {meaning}", f"# TYPE {family} {kind}"]
            lines.append(line(name, labels, value))
        return "\n".join(lines) + "\n" if lines else ""


class Metrics:
    """All pages, by target."""

    def __init__(self) -> None:
        self.pages: dict[Target, Page] = {}
        self._programs: dict[tuple[str, str], Page] = {}

    def program(self, namespace: str, workload: str) -> Page:
        """What the program of a workload exposes itself; it shows on the pages of the workload's pods."""
        return self._programs.setdefault((namespace, workload), Page())

    def page(self, target: Target) -> Page:
        """The target's page, made when it is new."""
        return self.pages.setdefault(target, Page())

    def forget(self, target: Target) -> None:
        """The target is gone; so is its page. Unknown targets are ignored."""
        self.pages.pop(target, None)

    def keep(self, job: str, targets: Iterable[Target]) -> None:
        """Forget the pages of `job` except those of `targets`."""
        wanted = set(targets)
        for target in [t for t in self.pages if t.job == job and t not in wanted]:
            del self.pages[target]

    def total(self, name: str, /, **labels: str) -> float:
        """The sum over all pages of the series of `name` with these labels (for status displays and tests)."""
        wanted = labels.items()
        return sum(
            s.value
            for p in self.pages.values()
            for s in p.samples()
            if s.name == name and wanted <= dict(s.labels).items()
        )


@lru_cache(maxsize=4096)
def _bounded(labels: Labels) -> tuple[Labels, ...]:
    """The labels of a histogram's buckets."""
    return tuple((*labels, ("le", bound)) for bound in (*(f"{bound:g}" for bound in BOUNDS), "+Inf"))


def line(name: str, labels: Labels, value: float) -> str:
    """One sample in Prometheus' text format."""
    return f"{name}{_braces(labels)} {_number(value)}"


def sorted_labels(labels: Mapping[str, str]) -> Labels:
    """Labels in their canonical form."""
    return tuple(sorted(labels.items()))


def family_of(name: str) -> str:
    """The family that a series belongs to: a histogram's parts belong to the histogram."""
    for part in _PARTS:
        base = name.removesuffix(part)
        if base != name and FAMILIES.get(base, ("", ""))[0] == "histogram":
            return base
    return name


def _order(sample: Sample) -> tuple[str, str, Labels, float]:
    bound = dict(sample.labels).get("le", "")
    others = tuple(pair for pair in sample.labels if pair[0] != "le")
    return family_of(sample.name), sample.name, others, float(bound.replace("+Inf", "inf")) if bound else 0.0


@lru_cache(maxsize=65536)
def _braces(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
