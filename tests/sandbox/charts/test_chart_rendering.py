"""The stand-in charts, rendered by the Helm engine."""

import json
from typing import Any

import pytest

from tests.sandbox.charts.rendering import CHARTS, example, one, render

Obj = dict[str, Any]

DEPLOYMENTS = [
    ("istiod", "istiod", "istio-system", "istio/values/istiod.yaml", "istiod"),
    ("gateway", "istio-ingressgateway", "istio-ingress", "gateway/values/ingressgateway.yaml", "istio-ingressgateway"),
    ("prometheus", "prometheus", "observability", "observability/values/prometheus.yaml", "prometheus-server"),
    ("grafana", "grafana", "observability", "observability/values/grafana.yaml", "grafana"),
    ("kiali-server", "kiali", "observability", "observability/values/kiali.yaml", "kiali"),
    ("flagger", "flagger", "flagger-system", "flagger/values/flagger.yaml", "flagger"),
    ("loadtester", "flagger-loadtester", "flagger-system", "flagger/values/loadtester.yaml", "flagger-loadtester"),
]


@pytest.fixture(autouse=True, scope="module")
def helm() -> None:
    pytest.importorskip("helm_python")


@pytest.mark.parametrize("chart", sorted(CHARTS))
def test_every_chart_renders_without_values(chart: str) -> None:
    """To objects that have a kind and a name."""
    secrets = {"grafana": {"adminPassword": "x"}, "kiali-server": {"login_token": {"signing_key": "y"}}}
    first = render(chart, "release", "somewhere", secrets.get(chart))
    assert first
    assert all(obj["apiVersion"] and obj["metadata"]["name"] for obj in first)


@pytest.mark.parametrize(("chart", "release", "namespace", "values", "name"), DEPLOYMENTS)
def test_a_deployment_has_a_service_that_selects_it(
    chart: str, release: str, namespace: str, values: str, name: str
) -> None:
    """Under the names and labels that mesh.yaml and the stand-ins count on."""
    objects = render(chart, release, namespace, example(values))
    deployment = one(objects, "Deployment", name)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for service in (obj for obj in objects if obj["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= labels.items()


def test_rendering_twice_gives_the_same() -> None:
    """With the example's values nothing is random."""
    for chart, release, namespace, values, _ in DEPLOYMENTS:
        assert render(chart, release, namespace, example(values)) == render(chart, release, namespace, example(values))


@pytest.mark.parametrize(
    ("chart", "name"), [("base", "istiod-default-validator"), ("istiod", "istio-validator-istio-system")]
)
def test_the_validators_failure_policy_depends_on_the_kind_of_rendering(chart: str, name: str) -> None:
    """The documented trap: Ignore on a first installation, nothing on an upgrade, what is said when it is said."""

    def policy(values: Obj, *, upgrade: bool) -> str | None:
        objects = render(chart, chart, "istio-system", values, upgrade=upgrade)
        found: str | None = one(objects, "ValidatingWebhookConfiguration", name)["webhooks"][0].get("failurePolicy")
        return found

    said = {"base": {"validationFailurePolicy": "Fail"}}
    assert [policy({}, upgrade=False), policy({}, upgrade=True), policy(said, upgrade=True)] == ["Ignore", None, "Fail"]


def test_a_typo_in_the_gateways_values_is_refused() -> None:
    """Its schema allows no other keys."""
    import helm_python as helm

    with pytest.raises(helm.HelmError, match="servcie"):
        render("gateway", "istio-ingressgateway", "istio-ingress", {"servcie": {"type": "NodePort"}})


def test_definitions_are_part_of_the_release() -> None:
    """As templates, so they are upgraded; some can be left out; they are kept when a release goes."""
    everything = [
        obj for obj in render("base", "istio-base", "istio-system") if obj["kind"] == "CustomResourceDefinition"
    ]
    assert len(everything) == 15
    assert all(obj["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for obj in everything)
    fewer = render("base", "istio-base", "istio-system", {"base": {"excludedCRDs": ["sidecars.networking.istio.io"]}})
    assert sum(obj["kind"] == "CustomResourceDefinition" for obj in fewer) == 14
    flagger = render("flagger", "flagger", "flagger-system", {"crd": {"create": True}})
    assert sum(obj["kind"] == "CustomResourceDefinition" for obj in flagger) == 3


def test_a_revision_has_names_of_its_own() -> None:
    """Two control planes can stand side by side; a tag has an injector of its own."""
    objects = render("istiod", "istiod", "istio-system", {"revision": "1-31", "revisionTags": ["prod"]})
    assert one(objects, "Deployment", "istiod-1-31")["spec"]["selector"]["matchLabels"]["istio.io/rev"] == "1-31"
    one(objects, "MutatingWebhookConfiguration", "istio-sidecar-injector-1-31")
    tag = one(objects, "MutatingWebhookConfiguration", "istio-revision-tag-prod")
    assert tag["metadata"]["labels"]["istio.io/tag"] == "prod"
    names = [webhook["name"] for webhook in tag["webhooks"]]
    assert names == ["rev.namespace.sidecar-injector.istio.io", "rev.object.sidecar-injector.istio.io"]


def test_a_budget_needs_more_than_one_replica() -> None:
    """With one replica it would block every drain."""
    assert not [o for o in render("istiod", "istiod", "istio-system") if o["kind"] == "PodDisruptionBudget"]
    assert one(render("istiod", "istiod", "istio-system", {"autoscaleMin": 2}), "PodDisruptionBudget")


def test_values_reach_the_mesh_configuration() -> None:
    """meshConfig is merged over the chart's own."""
    objects = render("istiod", "istiod", "istio-system", example("istio/values/istiod.yaml"))
    mesh = one(objects, "ConfigMap", "istio")["data"]["mesh"]
    assert "mode: REGISTRY_ONLY" in mesh
    assert "discoveryAddress: istiod.istio-system.svc:15012" in mesh


def test_node_ports_are_an_option() -> None:
    """As the observability phase offers them."""
    values = {"service": {"type": "NodePort", "nodePort": 30300}, "adminPassword": "x"}
    service = one(render("grafana", "grafana", "observability", values), "Service")
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"][0]["nodePort"] == 30300


def test_the_old_prefixes_still_work() -> None:
    """`pilot.cni.enabled` is `cni.enabled`: the injector is told of the node agent."""
    for values in ({"pilot": {"cni": {"enabled": True}}}, {"cni": {"enabled": True}}):
        injector = one(render("istiod", "istiod", "istio-system", values), "ConfigMap", "istio-sidecar-injector")
        assert json.loads(injector["data"]["values"])["pilot"]["cni"]["enabled"] is True
