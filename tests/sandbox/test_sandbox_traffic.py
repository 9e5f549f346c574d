"""The traffic model: what happens in the simulated mesh shows in Istio's metrics."""

from datetime import timedelta

import pytest

from sandbox import latency
from sandbox.clock import VirtualClock
from sandbox.topology import Topology
from sandbox.traffic import Load, Traffic
from tests.sandbox.meshed import Obj, pod, service, virtual_service


def canary_topology(primary: int, canary: int, *, mode: str = "", **extra: list[Obj]) -> Topology:
    """`web` in the middle of a rollout, split as given."""
    objects = {
        "Pod": [pod("web-primary-1", "web-primary", app="web-primary"), pod("web-1", "web", image="r/podinfo:bad")],
        "Service": [
            service("web", "web-primary", owner="web"),
            service("web-primary", "web-primary", owner="web"),
            service("web-canary", "web", owner="web"),
        ],
        "VirtualService": [virtual_service("web", {"web-primary": primary, "web-canary": canary})],
    }
    if mode:
        strict = {"metadata": {"name": "default", "namespace": "weather"}, "spec": {"mtls": {"mode": mode}}}
        objects["PeerAuthentication"] = [strict]
    return Topology({**objects, **extra})


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(VirtualClock())


def requests(traffic: Traffic, **labels: str) -> float:
    return traffic.metrics.total("istio_requests_total", **labels)


def test_requests_follow_the_weights_of_the_virtual_service(traffic: Traffic) -> None:
    """At 20 rps, ten seconds and 80/20, the primary sees 160 requests and the canary 40."""
    traffic.step(canary_topology(80, 20), 10)
    assert requests(traffic, reporter="destination", destination_workload="web-primary") == pytest.approx(160)
    assert requests(traffic, reporter="destination", destination_workload="web") == pytest.approx(40)


def test_a_bad_image_answers_with_errors(traffic: Traffic) -> None:
    """The error rate that was pushed with an image is the share of 500s of its pods, and of no others."""
    traffic.behave("registry.example:5000/r/podinfo:bad", error_rate=0.25)
    traffic.behave("mirror.example/r/podinfo:bad", error_rate=0.25)
    traffic.step(canary_topology(50, 50), 10)
    assert requests(traffic, reporter="destination", response_code="500") == pytest.approx(25)
    assert requests(traffic, response_code="500", destination_workload="web-primary") == 0


def test_a_digest_is_known_wherever_it_was_pulled_from(traffic: Traffic) -> None:
    """Pods that run by digest behave as the tag that was pushed with it."""
    traffic.behave("localhost:5000/podinfo:2", digest="sha256:abc", latency_p99=900)
    assert traffic.behaviour("ghcr.io/other/podinfo@sha256:abc").latency_p99 == 900
    assert traffic.behaviour("ghcr.io/other/podinfo@sha256:def").latency_p99 == 120


def test_without_a_proxy_nobody_counts(traffic: Traffic) -> None:
    """A workload outside the mesh leaves no metrics and gets no traffic by default."""
    objects = {"Pod": [pod("a-1", "a", proxied=False)], "Service": [service("a", "a")]}
    traffic.step(Topology(objects), 10)
    assert requests(traffic) == 0
    assert not traffic.edges


def test_plain_text_into_strict_is_refused(traffic: Traffic) -> None:
    """Callers without a proxy reach a PERMISSIVE workload in plain text, and a STRICT one not at all."""
    traffic.step(canary_topology(100, 0, mode="PERMISSIVE"), 10)
    assert requests(traffic, connection_security_policy="none") == pytest.approx(200)
    strict = Traffic(VirtualClock())
    strict.step(canary_topology(100, 0, mode="STRICT"), 10)
    assert requests(strict) == 0
    assert strict.edges[0].errors == pytest.approx(20)


def test_callers_are_those_that_the_policies_admit(traffic: Traffic) -> None:
    """An ALLOW policy's principal becomes an edge of the graph, with mutual TLS, counted at both ends."""
    policy = {
        "metadata": {"name": "web", "namespace": "weather"},
        "spec": {
            "selector": {"matchLabels": {"app": "web-primary"}},
            "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/weather/sa/gate"]}}]}],
        },
    }
    found = canary_topology(100, 0, AuthorizationPolicy=[policy], mode="STRICT")
    found.pods.extend(Topology({"Pod": [pod("gate-1", "gate", account="gate")]}).pods)
    traffic.step(found, 10)
    assert requests(traffic, reporter="source", source_workload="gate") == pytest.approx(200)
    assert requests(traffic, reporter="destination", connection_security_policy="mutual_tls") == pytest.approx(200)
    assert [(e.source, e.workload, e.mutual_tls) for e in traffic.edges] == [("gate", "web-primary", True)]


def test_nobody_calls_where_the_callers_that_a_policy_names_are_not_there(traffic: Traffic) -> None:
    """A policy refuses strangers, so none are made up."""
    policy = {
        "metadata": {"name": "web", "namespace": "weather"},
        "spec": {
            "selector": {"matchLabels": {"app": "web-primary"}},
            "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/weather/sa/gate"]}}]}],
        },
    }
    traffic.step(canary_topology(100, 0, AuthorizationPolicy=[policy]), 10)
    assert not traffic.edges


def test_conditional_routes_get_their_part(traffic: Traffic) -> None:
    """In an A/B test only the requests that match the headers reach the canary."""
    http = [
        {
            "match": [{"headers": {"x-user": {"exact": "tester"}}}],
            "route": [
                {"destination": {"host": "web-primary"}, "weight": 0},
                {"destination": {"host": "web-canary"}, "weight": 100},
            ],
        },
        {"route": [{"destination": {"host": "web-primary"}, "weight": 100}]},
    ]
    found = canary_topology(100, 0, VirtualService=[virtual_service("web", {}, http=http)])
    traffic.step(found, 10)
    assert requests(traffic, destination_workload="web") == pytest.approx(50)


def test_nobody_ready_is_seen_by_the_caller_only(traffic: Traffic) -> None:
    """Requests for a Service without endpoints end as 503 UH, reported by the caller's proxy."""
    traffic.set_rate("weather", "web", 10)
    found = Topology({"Service": [service("web", "web")], "Pod": [pod("web-1", "web", ready=False)]})
    traffic.step(found, 10)
    assert traffic.edges[0].errors == pytest.approx(10)
    assert requests(traffic, reporter="destination") == 0


def test_a_load_test_adds_requests_until_it_ends(traffic: Traffic) -> None:
    """A load on the canary's Service reaches it at weight 0, and stops in time."""
    until = traffic.clock.now() + timedelta(seconds=10)
    traffic.add_load(Load("weather", "web-canary", 5.0, until, ("test", "loadtester")))
    traffic.step(canary_topology(100, 0), 10)
    assert requests(traffic, destination_workload="web") == pytest.approx(50)
    traffic.clock.offset = timedelta(seconds=30)
    traffic.step(canary_topology(100, 0), 10)
    assert requests(traffic, destination_workload="web") == pytest.approx(50)


def test_series_go_with_their_pod(traffic: Traffic) -> None:
    """A page lives as long as its pod, so rates of a workload that was scaled to zero end."""
    traffic.step(canary_topology(50, 50), 10)
    without = canary_topology(100, 0)
    without.pods = without.pods[:1]
    traffic.step(without, 1)
    assert requests(traffic, destination_workload="web", reporter="destination") == 0


@pytest.mark.parametrize(("p50", "p99"), [(25, 120), (40, 900), (300, 350), (10, 500), (5, 3)])
def test_the_histogram_returns_the_percentile_that_was_set(p50: float, p99: float) -> None:
    """Prometheus' interpolation inside a bucket finds the 99th percentile again."""
    shares = latency.shape(p50, p99).shares
    index = next(i for i, share in enumerate(shares) if share >= 0.99)
    low, below = (latency.BOUNDS[index - 1], shares[index - 1]) if index else (0.0, 0.0)
    found = low + (latency.BOUNDS[index] - low) * (0.99 - below) / (shares[index] - below)
    assert found == pytest.approx(p99, rel=0.01)
    assert list(shares) == sorted(shares)


def test_the_page_is_in_prometheus_text_format(traffic: Traffic) -> None:
    """Families are announced once, and buckets come in the order of their bounds."""
    traffic.step(canary_topology(100, 0), 1)
    page = next(page for target, page in traffic.metrics.pages.items() if target.pod == "web-primary-1")
    lines = page.text().splitlines()
    assert lines.count("# TYPE istio_requests_total counter") == 1
    buckets = [line for line in lines if line.startswith("istio_request_duration_milliseconds_bucket")]
    assert len(buckets) == len(latency.BOUNDS) + 1
    assert 'le="0.5"' in buckets[0]
    assert 'le="+Inf"' in buckets[-1]
