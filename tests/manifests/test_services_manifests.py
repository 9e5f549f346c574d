"""The example application's manifests: valid to the letter, and true to the rules that make them work on a mesh."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from sandbox import charts

ROOT = Path(__file__).parents[2] / "include" / "manifests" / "services"
KUBERNETES = "1.36"
CALLS = {
    "frontend": {"api-gateway"},
    "api-gateway": {"session-management", "user-management", "data-retrieval", "data-analysis"},
    "session-management": {"user-management"},
    "user-management": set(),
    "data-retrieval": set(),
    "data-modelling": {"data-retrieval"},
    "data-analysis": {"data-modelling"},
}
OBJECTS = [
    (path.relative_to(ROOT).as_posix(), obj)
    for path in sorted(ROOT.glob("*/*.yaml"))
    for obj in yaml.safe_load_all(path.read_text())
]
IDS = [f"{path}:{obj['kind']}" for path, obj in OBJECTS]


def closed(schema: Any) -> Any:
    """The schema with every object closed to fields that it does not list, as strict field validation does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if "properties" in result and not result.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result


SCHEMAS = {
    (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version["schema"]["openAPIV3Schema"]
    for crd in charts.crds()
    for version in crd["spec"]["versions"]
}


def of(service: str, kind: str) -> dict[str, Any]:
    (found,) = [obj for path, obj in OBJECTS if path.startswith(f"{service}/") and obj["kind"] == kind]
    return found


@pytest.mark.parametrize(("path", "obj"), OBJECTS, ids=IDS)
def test_every_object_is_valid_to_the_last_field(path: str, obj: dict[str, Any]) -> None:
    schema = SCHEMAS.get((obj["apiVersion"], obj["kind"]))
    if schema is None:
        kubernetes_validate.validate(obj, KUBERNETES, strict=True)
        return
    spec = closed(schema["properties"]["spec"])
    jsonschema.Draft202012Validator(spec).validate(obj["spec"])


@pytest.mark.parametrize(("path", "obj"), OBJECTS, ids=IDS)
def test_every_object_says_where_it_belongs(path: str, obj: dict[str, Any]) -> None:
    service = path.split("/")[0]
    assert obj["metadata"]["namespace"] == "weather"
    assert obj["metadata"]["name"] == service
    assert obj["metadata"]["labels"]["app.kubernetes.io/name"] == service


def test_the_seven_services_and_kafka_are_there() -> None:
    assert {path.name for path in ROOT.iterdir()} == {*CALLS, "kafka"}


@pytest.mark.parametrize("service", CALLS)
def test_a_service_has_everything_that_it_needs_and_nothing_that_flagger_makes(service: str) -> None:
    kinds = sorted(obj["kind"] for path, obj in OBJECTS if path.startswith(f"{service}/"))
    assert kinds == [
        "AuthorizationPolicy",
        "Canary",
        "Deployment",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "ServiceAccount",
    ]


@pytest.mark.parametrize("service", CALLS)
def test_the_autoscaler_and_not_the_manifest_owns_the_number_of_replicas(service: str) -> None:
    assert "replicas" not in of(service, "Deployment")["spec"]
    assert of(service, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == service
    assert of(service, "Canary")["spec"]["autoscalerRef"]["name"] == service


@pytest.mark.parametrize("service", CALLS)
def test_a_node_can_always_be_drained(service: str) -> None:
    budget, autoscaler = of(service, "PodDisruptionBudget"), of(service, "HorizontalPodAutoscaler")
    assert budget["spec"]["minAvailable"] < autoscaler["spec"]["minReplicas"]


@pytest.mark.parametrize("service", CALLS)
def test_policies_and_budgets_cover_canary_and_primary(service: str) -> None:
    """Flagger renames the label `app` in the primary: whoever selects by it loses the pods that serve."""
    labels = of(service, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind in ("AuthorizationPolicy", "PodDisruptionBudget"):
        selector = of(service, kind)["spec"]["selector"]["matchLabels"]
        assert "app" not in selector
        assert selector.items() <= labels.items()
    assert of(service, "Deployment")["spec"]["selector"]["matchLabels"] == {"app": service}


@pytest.mark.parametrize("service", CALLS)
def test_backends_are_exactly_the_services_that_let_the_caller_in(service: str) -> None:
    command = of(service, "Deployment")["spec"]["template"]["spec"]["containers"][0]["command"]
    backends = {re.search(r"http://([a-z-]+)/echo", arg)[1] for arg in command if arg.startswith("--backend-url=")}
    assert backends == CALLS[service]
    allowed = {target for target in CALLS if f"cluster.local/ns/weather/sa/{service}" in principals(target)}
    assert allowed == CALLS[service]


def test_only_the_frontend_is_reached_by_the_ingress_gateway() -> None:
    gateway = "cluster.local/ns/istio-ingress/sa/istio-ingressgateway"
    assert [service for service in CALLS if gateway in principals(service)] == ["frontend"]
    assert [service for service in CALLS if "gateways" in of(service, "Canary")["spec"]["service"]] == ["frontend"]


@pytest.mark.parametrize("service", CALLS)
def test_the_load_tester_may_call_what_it_tests(service: str) -> None:
    webhook = of(service, "Canary")["spec"]["analysis"]["webhooks"][0]
    name, namespace = re.match(r"http://([a-z-]+)\.([a-z-]+)/", webhook["url"]).groups()
    assert f"cluster.local/ns/{namespace}/sa/{name}" in principals(service)
    assert f"{service}" in webhook["metadata"]["cmd"]


@pytest.mark.parametrize("service", CALLS)
def test_canaries_speak_mutual_tls_and_check_errors_and_latency(service: str) -> None:
    spec = of(service, "Canary")["spec"]
    assert spec["service"]["trafficPolicy"]["tls"]["mode"] == "ISTIO_MUTUAL"
    ranges = {metric["name"]: metric["thresholdRange"] for metric in spec["analysis"]["metrics"]}
    assert ranges == {"request-success-rate": {"min": 99}, "request-duration": {"max": 500}}
    ports = of(service, "Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert spec["service"]["targetPort"] in [port["containerPort"] for port in ports]


@pytest.mark.parametrize("service", CALLS)
def test_a_good_release_is_not_rolled_back_for_want_of_data(service: str) -> None:
    """A rate needs two scrapes of 15 s: until then every check of a fresh canary fails."""
    analysis = of(service, "Canary")["spec"]["analysis"]
    assert analysis["interval"] == "10s"
    assert analysis["threshold"] * 10 > 30 + 10
    assert {metric["interval"] for metric in analysis["metrics"]} == {"1m"}


def test_all_strategies_of_flagger_are_shown() -> None:
    def strategy(analysis: dict[str, Any]) -> str:
        return "a/b" if "match" in analysis else "blue/green" if "iterations" in analysis else "canary"

    shown = {service: strategy(of(service, "Canary")["spec"]["analysis"]) for service in CALLS}
    assert shown == dict.fromkeys(CALLS, "canary") | {"user-management": "blue/green", "session-management": "a/b"}


@pytest.mark.parametrize("service", [*CALLS, "kafka"])
def test_pods_run_without_rights(service: str) -> None:
    workload = of(service, "StatefulSet" if service == "kafka" else "Deployment")
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= container["resources"].keys()
    assert {"readinessProbe", "livenessProbe"} <= container.keys()
    assert re.search(r":\d+\.\d+\.\d+$", container["image"])


def test_kafka_is_one_headless_broker_in_the_mesh_that_a_drain_does_not_wait_for() -> None:
    assert of("kafka", "Service")["spec"]["clusterIP"] == "None"
    assert of("kafka", "PodDisruptionBudget")["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": "kafka"}},
    }
    template = of("kafka", "StatefulSet")["spec"]["template"]
    env = {item["name"]: item["value"] for item in template["spec"]["containers"][0]["env"]}
    assert env["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert env["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{env['KAFKA_NODE_ID']}@localhost:9093"
    assert "sidecar.istio.io/inject" not in template["metadata"]["labels"]


def principals(service: str) -> set[str]:
    rules = of(service, "AuthorizationPolicy")["spec"]["rules"]
    return {who for rule in rules for source in rule["from"] for who in source["source"]["principals"]}
