"""The declared phases, rendered with the sandbox's stand-in charts: they fit each other and the rest of mesh.yaml."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from meshflow import declared, settings
from meshflow.objects.parsing import Desired
from meshflow.sources import render
from meshflow.sources.rendered import Rendered
from sandbox.charts import packing

MESH = settings.load(environ={})
Phases = dict[str, Rendered]


class StandIns:
    """The sandbox's charts as a chart store."""

    def __init__(self, folder: Path) -> None:
        self._archives: dict[tuple[str, str, str], Path] = {}
        for chart in packing.charts():
            path = folder / f"{chart.repository}-{chart.filename}"
            path.write_bytes(chart.archive)
            self._archives[(chart.repository, chart.name, chart.version)] = path

    def fetch(self, repository: str, name: str, version: str) -> Path:
        return self._archives[(repository, name, version)]


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> StandIns:
    return StandIns(tmp_path_factory.mktemp("charts"))


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> settings.Mesh:
    """The declared mesh, with a cache of its own."""
    return settings.load(environ={"MESHFLOW_CACHE": str(tmp_path_factory.mktemp("cache"))})


@pytest.fixture(scope="session")
def phases(mesh: settings.Mesh, stand_ins: StandIns) -> Phases:
    """Every phase in its last stage, and `mtls@permissive`."""
    found = {name: render.phase(mesh, name, charts=stand_ins) for name in mesh.phases}
    found["mtls@permissive"] = render.phase(mesh, "mtls", charts=stand_ins, stage="permissive")
    return found


def named(rendered: Rendered, printed: str) -> dict[str, Any]:
    """The one object that is printed so."""
    [obj] = [desired.obj for desired in rendered.objects if str(desired.reference) == printed]
    return obj


def everything(phases: Phases) -> Iterator[Desired]:
    services = [render.service(MESH, name) for name in settings.service_names()]
    for rendered in (*(phases[name] for name in MESH.phases), *services):
        yield from rendered.objects


def test_no_object_belongs_to_two_sets(phases: Phases) -> None:
    references = [str(desired.reference) for desired in everything(phases)]
    assert sorted(set(references)) == sorted(references)


def test_every_namespace_that_is_used_is_declared(phases: Phases) -> None:
    declared = {d.reference.name for d in everything(phases) if d.reference.kind == "Namespace"}
    used = {d.reference.namespace for d in everything(phases)} - {None, "kube-system"}
    assert used <= declared


def test_every_injected_namespace_carries_the_label_once(phases: Phases) -> None:
    injected = {entry.name for entry in MESH.injection.namespaces}
    for desired in everything(phases):
        if desired.reference.kind == "Namespace":
            label = desired.obj["metadata"].get("labels", {}).get("istio-injection")
            assert (label == "enabled") == (desired.reference.name in injected), desired.reference


def test_traffic_to_unknown_hosts_is_refused_from_the_installation_on(phases: Phases) -> None:
    config = yaml.safe_load(named(phases["istio"], "ConfigMap/istio-system/istio")["data"]["mesh"])
    assert config["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_validating_webhooks_fail_closed_from_the_beginning(phases: Phases) -> None:
    """So that istiod has nothing to change in them but the caBundle."""
    policies = [
        webhook.get("failurePolicy")
        for desired in phases["istio"].objects
        if desired.reference.kind == "ValidatingWebhookConfiguration"
        for webhook in desired.obj["webhooks"]
    ]
    assert policies
    assert set(policies) == {"Fail"}


def test_mutual_tls_goes_from_permissive_to_strict_on_one_object(phases: Phases) -> None:
    printed = "PeerAuthentication/istio-system/default"
    assert named(phases["mtls@permissive"], printed)["spec"] == {"mtls": {"mode": "PERMISSIVE"}}
    assert named(phases["mtls"], printed)["spec"] == {"mtls": {"mode": "STRICT"}}


def test_who_calls_is_only_checked_once_it_is_proven(phases: Phases) -> None:
    """Rules that name identities would refuse plain text in the permissive stage already."""
    kinds = {desired.reference.kind for desired in phases["mtls@permissive"].objects}
    assert kinds == {"PeerAuthentication", "RequestAuthentication"}
    assert named(phases["mtls"], "AuthorizationPolicy/istio-system/default-deny")["spec"] == {}


def test_prometheus_is_where_mesh_yaml_flagger_grafana_and_kiali_look_for_it(phases: Phases) -> None:
    place = MESH.prometheus
    service = named(phases["observability"], f"Service/{place.namespace}/{place.service}")
    assert place.port in [port["port"] for port in service["spec"]["ports"]]
    [container] = named(phases["flagger"], "Deployment/flagger-system/flagger")["spec"]["template"]["spec"][
        "containers"
    ]
    words = [*container.get("command", []), *container.get("args", [])]
    [url] = [word.partition("=")[2] for word in words if word.startswith("-metrics-server=")]
    _meets(url, place)
    sources = yaml.safe_load(
        named(phases["observability"], "ConfigMap/observability/grafana")["data"]["datasources.yaml"]
    )
    _meets(sources["datasources"][0]["url"], place)
    kiali = yaml.safe_load(named(phases["observability"], "ConfigMap/observability/kiali")["data"]["config.yaml"])
    _meets(kiali["external_services"]["prometheus"]["url"], place)


def _meets(url: str, place: declared.Endpoint) -> None:
    parts = urlsplit(url)
    assert parts.hostname in (
        f"{place.service}.{place.namespace}",
        f"{place.service}.{place.namespace}.svc.cluster.local",
    )
    assert (parts.port or 80) == place.port


@pytest.mark.parametrize("name", ["grafana", "kiali"])
def test_grafana_and_kiali_are_where_mesh_yaml_says(phases: Phases, name: str) -> None:
    place: declared.Endpoint = getattr(MESH, name)
    service = named(phases["observability"], f"Service/{place.namespace}/{place.service}")
    assert place.port in [port["port"] for port in service["spec"]["ports"]]


def test_the_ingress_gateway_is_where_mesh_yaml_says(phases: Phases) -> None:
    place = MESH.ingress
    service = named(phases["gateway"], f"Service/{place.namespace}/{place.service}")
    assert place.port in [port["port"] for port in service["spec"]["ports"]]
    gateway = named(phases["gateway"], "Gateway/istio-ingress/weather")
    assert gateway["spec"]["selector"].items() <= service["spec"]["selector"].items()
    assert place.port in [server["port"]["number"] for server in gateway["spec"]["servers"]]


def test_every_host_outside_has_its_whole_way_through_the_egress_gateway(phases: Phases) -> None:
    objects = [desired.obj for desired in phases["gateway"].objects]
    hosts = {host for obj in objects if obj["kind"] == "ServiceEntry" for host in obj["spec"]["hosts"]}
    assert hosts
    gateway = named(phases["gateway"], "Gateway/istio-egress/outside")
    subsets = named(phases["gateway"], "DestinationRule/istio-egress/egressgateway")["spec"]["subsets"]
    policy = named(phases["mtls"], "AuthorizationPolicy/istio-egress/allow-outside")
    assert hosts == {host for server in gateway["spec"]["servers"] for host in server["hosts"]}
    assert hosts == {subset["trafficPolicy"]["tls"]["sni"] for subset in subsets}
    assert hosts == {host for obj in objects if obj["kind"] == "VirtualService" for host in obj["spec"]["hosts"]}
    assert hosts == {value for rule in policy["spec"]["rules"] for when in rule["when"] for value in when["values"]}


def test_policies_name_service_accounts_that_exist(phases: Phases) -> None:
    accounts = {
        f"cluster.local/ns/{d.reference.namespace}/sa/{d.reference.name}"
        for d in everything(phases)
        if d.reference.kind == "ServiceAccount"
    }
    rules = itertools.chain.from_iterable(
        d.obj["spec"].get("rules", []) for d in everything(phases) if d.reference.kind == "AuthorizationPolicy"
    )
    named_ = {p for rule in rules for source in rule.get("from", []) for p in source["source"].get("principals", [])}
    assert named_ <= accounts


def test_the_load_tester_is_what_the_canaries_call(phases: Phases) -> None:
    assert named(phases["flagger"], "Service/flagger-system/flagger-loadtester")["spec"]["ports"][0]["port"] == 80
    deployment = named(phases["flagger"], "Deployment/flagger-system/flagger-loadtester")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "flagger-loadtester"


def test_the_definitions_of_flagger_come_with_it(phases: Phases) -> None:
    names = {d.reference.name for d in phases["flagger"].objects if d.reference.kind == "CustomResourceDefinition"}
    assert {"canaries.flagger.app", "metrictemplates.flagger.app", "alertproviders.flagger.app"} == names


def test_dashboards_are_valid_json_that_asks_the_declared_datasource(phases: Phases) -> None:
    texts = named(phases["observability"], "ConfigMap/observability/grafana-dashboards")["data"]
    for name, text in texts.items():
        dashboard = json.loads(text)
        panels = dashboard["panels"]
        assert dashboard["uid"].startswith("meshflow-"), name
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"prometheus"}


def test_nothing_secret_is_in_the_manifests(phases: Phases) -> None:
    for desired in everything(phases):
        if desired.reference.kind == "Secret":
            assert not desired.obj.get("data"), desired.reference
            assert not desired.obj.get("stringData"), desired.reference


def test_secrets_that_are_made_are_the_ones_that_charts_ask_for(phases: Phases) -> None:
    made = {secret.name for secret in MESH.phases["observability"].secrets}
    text = json.dumps([desired.obj for desired in phases["observability"].objects])
    assert made == {"grafana-admin", "kiali-signing-key"}
    for name in made:
        assert name in text


@pytest.mark.parametrize("name", ["prometheus", "grafana", "kiali"])
def test_node_ports_are_an_option(mesh: settings.Mesh, stand_ins: StandIns, name: str) -> None:
    option = f"observability/values/{name}-nodeport.yaml"
    assert f"# - {option}" in MESH.file.read_text()
    phase = mesh.phases["observability"]
    sources = [
        source
        if getattr(source, "release", "") != name
        else source.model_copy(update={"values": [*source.values, option]})
        for source in phase.sources
    ]
    chosen = phase.model_copy(update={"sources": sources})
    exposed = mesh.model_copy(update={"phases": {**mesh.phases, "observability": chosen}})
    found = render.phase(exposed, "observability", charts=stand_ins).objects
    services = [item.obj["spec"] for item in found if item.reference.kind == "Service"]
    (spec,) = [spec for spec in services if spec.get("type") == "NodePort"]
    assert 30000 <= spec["ports"][0]["nodePort"] <= 32767


@pytest.mark.parametrize("name", settings.service_names())
def test_every_service_fits_the_definitions_in_the_charts(mesh: settings.Mesh, stand_ins: StandIns, name: str) -> None:
    assert render.service(mesh, name, charts=stand_ins).objects


def test_a_revision_names_the_control_plane_and_labels_what_it_injects(
    mesh: settings.Mesh, stand_ins: StandIns
) -> None:
    revised = mesh.model_copy(update={"istio": declared.Istio(version="1.30.3", revision="1-30-3", cni=True)})
    found = {name: render.phase(revised, name, charts=stand_ins) for name in ("istio", "gateway")}
    assert named(found["istio"], "Deployment/istio-system/istiod-1-30-3")
    assert named(found["istio"], "DaemonSet/istio-system/istio-cni-node")
    assert named(found["gateway"], "Namespace/istio-ingress")["metadata"]["labels"] == {"istio.io/rev": "1-30-3"}
