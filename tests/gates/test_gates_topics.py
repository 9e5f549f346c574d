"""Each gate: what passes, what fails, what says nothing; and the sentence that a person reads."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest

from meshflow.gates import flagger, gateway, injection, istio, kiali, mtls, observability, queries, rollout
from meshflow.gates.model import Result, Verdict
from meshflow.mesh.evidence import Finding, Kind
from meshflow.mesh.mtls import Conflict, Effective, Mode

Obj = dict[str, Any]
PASS, FAIL, INCONCLUSIVE = Result.PASS, Result.FAIL, Result.INCONCLUSIVE


class Sample(NamedTuple):
    labels: dict[str, str]
    value: float


def says(verdict: Verdict, result: Result, words: str) -> None:
    assert verdict.result is result, verdict
    assert words in verdict.reason


# --- the control plane


def crd(name: str, **conditions: str) -> Obj:
    rows = [{"type": key, "status": value} for key, value in conditions.items()]
    return {"metadata": {"name": name}, "status": {"conditions": rows}}


def istiod(*, available: int = 1, version: str = "1.30.3", revision: str = "default") -> Obj:
    return {
        "metadata": {"name": "istiod", "labels": {"app": "istiod", "istio.io/rev": revision}},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": f"pilot:{version}"}]}}},
        "status": {"availableReplicas": available},
    }


def hooks(*kinds: str, bundle: str = "Q0E=") -> list[Obj]:
    config = {"service": {"name": "istiod"}, "caBundle": bundle}
    return [
        {
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "h"},
            "webhooks": [{"name": "w", "clientConfig": config}],
        }
        for kind in kinds
    ]


def test_definitions_count_when_they_are_established():
    good, bad = crd("a", Established="True", NamesAccepted="True"), crd("b", Established="False")
    says(istio.crds_established([good], expected=["a"]), PASS, "all 1")
    says(istio.crds_established([good, bad], expected=["a", "b", "c"]), FAIL, "not established: b, c")
    says(istio.crds_established([crd("a", Established="True", NamesAccepted="False")], expected=["a"]), FAIL, "a")
    says(istio.crds_established([good], expected=[]), INCONCLUSIVE, "no definition")


def test_istiod_must_be_available_in_the_wanted_version_and_revision():
    says(istio.available([istiod()], version="1.30.3"), PASS, "1 of 1")
    says(istio.available([istiod(available=0)], version="1.30.3"), FAIL, "0 of 1")
    says(istio.available([istiod(version="1.29.0")], version="1.30.3"), FAIL, "is 1.29.0, wanted 1.30.3")
    says(istio.available([istiod()], version="1.30.3", revision="canary"), FAIL, "no istiod of revision canary")


def test_istiods_own_answer_is_held_against_the_wanted_version():
    says(istio.version_answers("1.30.3-abc-Clean", version="1.30.3"), PASS, "1.30.3")
    says(istio.version_answers("1.29.1", version="1.30.3"), FAIL, "says it is 1.29.1")
    says(istio.version_answers("<html>", version="1.30.3"), INCONCLUSIVE, "not with a version")


def test_webhooks_need_their_bundles_and_both_kinds_must_be_there():
    says(istio.bundles_set(hooks("Mutating", "Validating")), PASS, "all 2")
    says(istio.bundles_set(hooks("Mutating", "Validating", bundle="")), FAIL, "no caBundle yet in")
    says(istio.bundles_set(hooks("Mutating")), FAIL, "no ValidatingWebhookConfiguration")
    says(istio.bundles_set([]), FAIL, "calls istiod")


# --- injection

SPACE = {"metadata": {"name": "weather", "labels": {"istio-injection": "enabled"}}}


def pod(name: str, version: str | None = "1.30.3", *, ready: bool = True, **metadata: Any) -> Obj:
    container = {"name": "istio-proxy", "image": f"proxyv2:{version}"}
    return {
        "metadata": {"name": name, "namespace": "weather", **metadata},
        "spec": {"containers": [{"name": "app"}], "initContainers": [container] if version else []},
        "status": {"phase": "Running", "initContainerStatuses": [{"name": "istio-proxy", "ready": ready}]},
    }


def proxies(*pods: Obj, spaces: tuple[Obj, ...] = (SPACE,)) -> Verdict:
    return injection.proxies(pods, namespaces=spaces, version="1.30.3")


def test_every_pod_that_should_needs_a_ready_proxy_of_the_version():
    says(proxies(pod("a"), pod("b")), PASS, "all 2 pods")
    says(proxies(pod("a", None)), FAIL, "weather/a: no proxy")
    says(proxies(pod("a", "1.29.0")), FAIL, "proxy 1.29.0, the control plane is 1.30.3")
    says(proxies(pod("a", ready=False)), FAIL, "not ready")
    assert proxies(pod("a"), pod("b", None)).numbers == {
        "pods": 2,
        "wanted": 2,
        "ready": 1,
        "native": 1,
        "version": "1.30.3",
    }


def test_what_nobody_restarts_is_named_with_the_way_out():
    left = ["Pod/weather/a, nobody would make it again; delete it and make it anew"]
    verdict = injection.proxies([pod("a", None)], namespaces=[SPACE], version="1.30.3", left=left)
    says(verdict, FAIL, "For you to restart: Pod/weather/a, nobody would make it again; delete it")


def test_pods_that_opted_out_are_counted_but_not_asked():
    says(proxies(pod("a"), pod("b", None, labels={"sidecar.istio.io/inject": "false"})), PASS, "all 1 pods")


def test_an_empty_labelled_namespace_passes_and_an_unlabelled_one_does_not():
    says(proxies(), PASS, "no pod is there")
    says(proxies(spaces=({"metadata": {"name": "weather"}},)), FAIL, "not turned on in weather")


# --- gateway


def test_a_gateway_needs_an_address():
    service = {"metadata": {"name": "g", "namespace": "n"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    says(gateway.has_address(service), FAIL, "no address yet")
    service["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert gateway.has_address(service).numbers["url"] == "http://192.0.2.1"
    says(gateway.has_address(None), FAIL, "no Service")
    says(gateway.has_address(service, port=443), FAIL, "no port 443")
    says(gateway.has_address(service, port=80, asked_for="a.example.com"), PASS, "ask it for a.example.com")


def test_without_prometheus_a_mesh_with_workloads_stays_permissive_and_says_what_to_run():
    says(mtls.blind([], workloads=3, why="not found"), Result.ERROR, "(not found). The mesh stays PERMISSIVE; run")
    broken = Finding(Kind.NO_PROXY, "Pod/weather/a", "it has no proxy")
    says(mtls.blind([broken], workloads=3, why="not found"), FAIL, "STRICT would break")


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, PASS), (None, INCONCLUSIVE), (404, FAIL), (403, FAIL), (302, FAIL), (503, FAIL)],
)
def test_a_gateway_must_say_that_it_is_ready(status, result):
    assert gateway.answers(status, asked="http://g:15021/healthz/ready").result is result


# --- mutual TLS

HEADLESS = Finding(Kind.HEADLESS, "Service/weather/kafka", "…")
PLAIN = Finding(Kind.PLAINTEXT, "x/a → y/b", "12 requests in plain text", 12)


def test_evidence_needs_traffic_unless_nothing_could_break():
    says(mtls.evidence([HEADLESS], workloads=3, requests=120), PASS, "120 requests by mutual TLS")
    says(mtls.evidence([], workloads=3, requests=0), INCONCLUSIVE, "no traffic")
    says(mtls.evidence([], workloads=3, requests=None), INCONCLUSIVE, "no traffic")
    says(mtls.evidence([], workloads=0, requests=None), PASS, "no workload")
    says(mtls.evidence([], workloads=3, requests=float("nan")), INCONCLUSIVE, "no traffic")
    says(mtls.evidence([PLAIN], workloads=3, requests=120), FAIL, "x/a → y/b")
    assert mtls.evidence([PLAIN, HEADLESS], workloads=3, requests=120).numbers["plaintext"] == 1


def test_evidence_names_what_nobody_was_seen_to_call():
    found = mtls.evidence([], workloads=3, requests=120, silent=["weather/kafka", "weather/batch"])
    says(found, PASS, "nobody was seen to call weather/batch, weather/kafka")
    assert found.numbers["silent"] == 2


def test_a_mesh_that_is_strict_already_needs_no_traffic_to_stay_so():
    says(mtls.evidence([], workloads=0, requests=None, strict=9), PASS, "all 9 pods take mutual TLS only already")


def test_a_port_that_nobody_declared_must_be_strict_too():
    answers = {"a": [Effective(80, Mode.STRICT, "policy p"), Effective(0, Mode.PERMISSIVE, "policy q")]}
    says(mtls.effective(answers), FAIL, "a:other ports is PERMISSIVE by policy q")


def effective(**modes: str) -> Verdict:
    return mtls.effective({name: [Effective(80, Mode(mode), "policy p")] for name, mode in modes.items()})


def test_every_port_must_be_strict_and_the_deciding_policy_is_named():
    says(effective(a="STRICT", b="STRICT"), PASS, "all 2 ports of 2 workloads are STRICT, by policy p")
    says(effective(a="STRICT", b="PERMISSIVE"), FAIL, "b:80 is PERMISSIVE by policy p")
    says(mtls.effective({}), INCONCLUSIVE, "no port")
    hole = {"a": [Effective(80, Mode.STRICT, "p"), Effective(81, Mode.DISABLE, "q")]}
    assert mtls.effective(hole, exceptions=["a:81"]).passed


def test_rules_that_contradict_servers_fail():
    says(mtls.clients([], rules=4), PASS, "none of 4")
    says(
        mtls.clients([Conflict("DestinationRule/n/r", "h", "w", "503")], rules=4),
        FAIL,
        "DestinationRule/n/r for h: 503",
    )


# --- observability


def target(health: str, job: str = "pods") -> Obj:
    return {
        "health": health,
        "labels": {"job": job},
        "scrapeUrl": "http://x",
        "lastError": "refused" if health == "down" else "",
    }


def test_prometheus_is_ready_by_its_own_word():
    assert observability.prometheus_ready(200).passed
    says(observability.prometheus_ready(503), FAIL, "503")


@pytest.mark.parametrize(
    ("health", "options", "result"),
    [
        (["up", "up"], {}, PASS),
        (["up", "down"], {}, FAIL),
        (["up", "down"], {"share": 0.5}, PASS),
        (["up", "unknown"], {}, INCONCLUSIVE),
        ([], {}, INCONCLUSIVE),
        (["up"], {"jobs": ["pods"]}, PASS),
        (["up"], {"jobs": ["istiod"]}, FAIL),
        (["up", "unknown"], {"jobs": ["istiod"]}, INCONCLUSIVE),
    ],
)
def test_targets_must_be_up_and_unknown_is_no_proof(health, options, result):
    assert observability.targets_up([target(item) for item in health], **options).result is result


def test_a_target_that_is_down_says_why():
    says(observability.targets_up([target("down")]), FAIL, "refused")


def ages(**seconds: float) -> list[Sample]:
    return [Sample({"destination_workload": name.replace("_", "-")}, age) for name, age in seconds.items()]


def test_requests_of_every_service_must_be_younger_than_two_scrapes():
    def fresh(found: list[Sample]) -> Verdict:
        return observability.requests_fresh(found, services=["web", "api"])

    says(fresh(ages(web=1, api=29)), PASS, "all 2 services, the oldest 29 s ago")
    says(fresh(ages(web=1, api=31)), FAIL, "older than 30 s: api (31 s)")
    says(fresh(ages(web=1)), INCONCLUSIVE, "no request was counted for api")
    says(fresh(ages(web=1, api=math.nan)), INCONCLUSIVE, "api")
    says(fresh(ages(web=400, web_primary=2, api_primary=3)), PASS, "the oldest 3 s")


def test_grafana_and_its_datasource():
    says(observability.grafana_healthy({"database": "ok", "version": "12.1"}), PASS, "Grafana 12.1")
    says(observability.grafana_healthy({"database": "failing"}), FAIL, "failing")
    source = [{"type": "prometheus", "uid": "p", "name": "Prometheus"}]
    says(observability.datasource_healthy(source, health={"p": {"status": "OK"}}), PASS, "reaches Prometheus")
    bad = {"p": {"status": "ERROR", "message": "refused"}}
    says(observability.datasource_healthy(source, health=bad), FAIL, "refused")
    says(observability.datasource_healthy(source, health={}), INCONCLUSIVE, "not checked")
    says(observability.datasource_healthy([], health={}), FAIL, "no Prometheus datasource")


def test_kiali_runs_draws_and_sees_mutual_tls():
    says(kiali.status({"status": {"Kiali state": "running", "Kiali version": "v2.29.0"}}), PASS, "v2.29.0 is running")
    says(kiali.status({}), FAIL, "unknown")
    nodes = [{"data": {"app": "web"}}, {"data": {"workload": "api-primary"}}]
    full = {"elements": {"nodes": nodes, "edges": [{"data": {"isMTLS": "100"}}, {"data": {}}]}}
    says(kiali.graph(full, services=["web", "api"]), PASS, "2 nodes and 2 edges, 1 of them by mutual TLS")
    says(kiali.graph(full, services=["db"]), FAIL, "not in Kiali's graph: db")
    says(kiali.graph({"elements": {"nodes": nodes}}), INCONCLUSIVE, "empty")
    says(kiali.mesh_mtls({"status": "MTLS_ENABLED"}), PASS, "MTLS_ENABLED")
    says(kiali.mesh_mtls({"status": "MTLS_PARTIALLY_ENABLED"}), FAIL, "wanted MTLS_ENABLED")
    says(kiali.mesh_mtls({}), INCONCLUSIVE, "says nothing")


# --- Flagger


def controller(*args: str, available: int = 1) -> Obj:
    container = {"name": "flagger", "image": "ghcr.io/fluxcd/flagger:1.44.0", "command": ["./flagger", *args]}
    return {
        "metadata": {"name": "flagger", "namespace": "flagger-system"},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"availableReplicas": available},
    }


def test_flagger_must_be_available():
    says(flagger.available(controller()), PASS, "1 of 1 replicas of Flagger 1.44.0")
    says(flagger.available(controller(available=0)), FAIL, "0 of 1")
    says(flagger.available(None), FAIL, "no Flagger")


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://prometheus.observability:9090", ("prometheus", "observability", 9090)),
        ("http://prometheus-server.observability.svc.cluster.local", ("prometheus-server", "observability", 80)),
        ("http://prometheus:9090", ("prometheus", "flagger-system", 9090)),
        ("https://prometheus.example.com", ("", "flagger-system", 443)),
    ],
)
def test_the_metrics_server_is_read_from_flaggers_arguments(url, wanted):
    server = flagger.server_of(controller(f"-metrics-server={url}"))
    assert server is not None
    assert server[1:] == wanted


def test_flaggers_own_metrics_server_must_answer():
    server = flagger.server_of(controller("-metrics-server=http://p.o:9090"))
    says(flagger.metrics_server(server, status=200), PASS, "http://p.o:9090 answered 200")
    says(flagger.metrics_server(server, status=503), FAIL, "503")
    says(flagger.metrics_server(server, status=None), INCONCLUSIVE, "not asked")
    says(flagger.metrics_server(flagger.server_of(controller()), status=200), FAIL, "without -metrics-server")


def test_prometheus_must_know_flagger():
    says(flagger.scraped([Sample({"version": "1.44.0"}, 1)]), PASS, "1.44.0")
    says(flagger.scraped([]), INCONCLUSIVE, "no series")


# --- before a rollout


def test_a_release_needs_a_digest():
    assert rollout.digest_resolved("sha256:" + "a" * 64, image="i:1").passed
    says(rollout.digest_resolved(None, image="i:1"), FAIL, "i:1 was not resolved")


@pytest.mark.parametrize(
    ("phase", "result"),
    [
        ("Initialized", PASS),
        ("Succeeded", PASS),
        ("Failed", PASS),
        ("Initializing", FAIL),
        ("Progressing", FAIL),
        ("Waiting", FAIL),
        ("WaitingPromotion", FAIL),
        ("Promoting", FAIL),
        ("Finalising", FAIL),
        ("Terminating", FAIL),
        ("Dancing", FAIL),
        ("", FAIL),
    ],
)
def test_a_busy_canary_is_not_interrupted(phase, result):
    cd = {"metadata": {"name": "web"}, "spec": {}, "status": {"phase": phase}}
    assert rollout.canary_idle(cd).result is result


def test_no_canary_is_a_first_installation_and_a_suspended_one_is_not_idle():
    says(rollout.canary_idle(None), PASS, "first installation")
    says(
        rollout.canary_idle({"metadata": {}, "spec": {"suspend": True}, "status": {"phase": "Succeeded"}}),
        FAIL,
        "suspend",
    )


def route(on_canary: int, service: str = "web") -> dict[tuple[str, str], Obj]:
    weights = {f"{service}-primary": 100 - on_canary, f"{service}-canary": on_canary}
    parts = [{"destination": {"host": host}, "weight": weight} for host, weight in weights.items()]
    return {("weather", service): {"spec": {"http": [{"route": parts}]}}}


@pytest.mark.parametrize(
    ("phase", "on_canary", "result"),
    [
        ("Succeeded", 0, PASS),
        ("Succeeded", 30, FAIL),
        ("Failed", 100, FAIL),
        ("Failed", 0, PASS),
        ("Initialized", 5, FAIL),
        ("Progressing", 30, PASS),
        ("WaitingPromotion", 60, PASS),
    ],
)
def test_between_releases_traffic_is_on_the_primary(phase, on_canary, result):
    spec = {"targetRef": {"name": "web"}}
    cd = {"metadata": {"name": "watcher", "namespace": "weather"}, "spec": spec, "status": {"phase": phase}}
    found = rollout.traffic([cd], routes=route(on_canary))
    assert found.result is result
    assert (f"{on_canary}% canary" in found.reason) is (result is FAIL)
    assert rollout.traffic([cd], routes={}).passed
    assert rollout.traffic([], routes={}).passed


def a_primary(**status: int) -> Obj:
    counts = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    metadata = {"name": "web-primary", "namespace": "weather", "generation": 1}
    return {"metadata": metadata, "spec": {"replicas": 2}, "status": counts}


def test_a_release_needs_a_primary_that_could_take_the_traffic():
    """Flagger gives it all of the traffic when a new revision meets it unready after a promotion that failed."""
    cd = {"metadata": {}, "spec": {"targetRef": {"name": "web"}, "analysis": {}}, "status": {"phase": "Failed"}}
    says(rollout.primary_ready(cd, a_primary()), PASS, "2 out of 2")
    says(rollout.primary_ready(cd, a_primary(availableReplicas=0)), FAIL, "rollout undo deployment/web-primary")
    says(rollout.primary_ready(cd, None), PASS, "does not ask")
    says(rollout.primary_ready(None, None), PASS, "does not ask")
    skipping = {**cd, "spec": {**cd["spec"], "skipAnalysis": True}}
    assert rollout.primary_ready(skipping, a_primary(availableReplicas=0)).passed


def test_a_service_that_no_canary_watches_has_none_that_is_busy():
    says(rollout.canary_idle(None, watched=False), PASS, "no Canary watches")


def test_a_release_needs_pods_that_get_a_proxy():
    says(rollout.sidecar_present(SPACE, {}, pods=[pod("a")]), PASS, "istio-injection=enabled")
    says(rollout.sidecar_present(SPACE, {}, pods=[pod("a", None)]), FAIL, "no proxy in a")
    says(rollout.sidecar_present({"metadata": {"name": "weather"}}, {}), FAIL, "no label asks")
    says(rollout.sidecar_present(None, {}), FAIL, "not there")


def test_a_digest_in_quarantine_needs_force():
    assert rollout.not_quarantined(None).passed
    says(rollout.not_quarantined("it failed"), FAIL, "it failed")
    says(rollout.not_quarantined("it failed", force=True), PASS, "forced")


# --- queries


@pytest.mark.parametrize("name", queries.TEMPLATES)
def test_every_query_is_promql(name):
    promql = pytest.importorskip("promql_parser")
    assert promql.parse(queries.query(name, namespace="weather"))
