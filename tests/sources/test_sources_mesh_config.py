"""meshConfig, which the chart hands on as it is, and of which istiod skips what it does not know."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from meshflow import settings
from meshflow.declared import ChartSource
from meshflow.errors import InvalidInput
from meshflow.sources import charts, values
from tests.sources.conftest import Write

Given = Callable[..., values.Values]


@pytest.fixture
def given(write: Write, load_mesh: Callable[..., settings.Mesh]) -> Given:
    """The values of istiod, out of this file."""

    def _given(text: str, *, chart: str = "istio/istiod", version: str = "1.30.3") -> values.Values:
        write("include/manifests/istiod.yaml", text)
        source = (
            f"{{chart: {chart}, version: {version}, release: istiod, namespace: istio-system, values: istiod.yaml}}"
        )
        mesh = load_mesh(f"istio: {{sources: [{source}]}}")
        found = mesh.phase("istio").sources[0]
        assert isinstance(found, ChartSource)
        return charts.given(mesh, found)

    return _given


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("acessLogFile: /dev/stdout", "2: meshConfig.acessLogFile: unknown field; did you mean 'accessLogFile'?"),
        ("outboundTrafficPolicy: {mod: REGISTRY_ONLY}", "2: meshConfig.outboundTrafficPolicy.mod: unknown field; did"),
        ("outboundTrafficPolicy: {mode: REGISTRY}", "mode: must be one of REGISTRY_ONLY, ALLOW_ANY, ALLOW_ANY_DYNAMIC"),
        ("defaultConfig: {holdAplicationUntilProxyStarts: true}", "did you mean 'holdApplicationUntilProxyStarts'?"),
        ("defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: true}}", "must be string, not boolean (got True)"),
        ("enableAutoMtls: 'false'", "2: meshConfig.enableAutoMtls: must be boolean, not string (got 'false')"),
        (
            "extensionProviders: [{name: x, zipkin: {prot: 9411}}]",
            "meshConfig.extensionProviders[0].zipkin.prot: unknown",
        ),
        ("defaultConfig: {tracing: {samplng: 1}}", "meshConfig.defaultConfig.tracing.samplng: unknown field"),
        ("- accessLogFile", "meshConfig: must be object, not array"),
    ],
)
def test_a_typo_names_file_line_and_field(given: Given, written: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        given(f"meshConfig:\n  {written}\n")
    assert re.match(r"include/manifests/istiod\.yaml:[12]: meshConfig", str(refused.value))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "",
        "{accessLogFile: null, defaultConfig: null, trustDomain: example.com}",
        "{proxyListenPort: '15001', connectTimeout: 10s, defaultConfig: {concurrency: 2, drainDuration: 45s}}",
        "{extensionProviders: [{name: otel, opentelemetry: {service: o.svc, port: 4317}}, {name: p, prometheus: {}}]}",
        "{extensionProviders: [{name: log, envoyFileAccessLog: {path: /x, logFormat: {labels: {any: thing}}}}]}",
        "{discoverySelectors: [{matchLabels: {istio-discovery: enabled}}], localityLbSetting: {enabled: true}}",
        "{defaultConfig: {tracing: {sampling: 100, customTags: {team: {literal: {value: a}}}}, proxyMetadata: {A: b}}}",
    ],
)
def test_what_istio_knows_is_taken(given: Given, written: str) -> None:
    assert given(f"meshConfig: {written}\n").documents


def test_fields_of_another_version_of_istio_are_not_judged(given: Given) -> None:
    assert given("meshConfig: {serviceEntryVisibility: {}}\n", version="1.31.0").documents
    assert given("meshConfig: {anything: 1}\n", chart="other/istiod").documents


def test_what_ships_is_right() -> None:
    mesh = settings.load(environ={})
    found = [source for _, _, source in mesh.chart_sources() if source.name == "istiod"]
    assert charts.given(mesh, found[0]).merged["meshConfig"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_the_file_that_wrote_it_is_named(write: Write, load_mesh: Callable[..., settings.Mesh], tmp_path: Path) -> None:
    write("include/manifests/a.yaml", "meshConfig: {trustDomian: x}\n")
    write("include/manifests/b.yaml", "meshConfig: {trustDomain: y}\n")
    source = "{chart: istio/istiod, release: istiod, namespace: istio-system, values: [a.yaml, b.yaml]}"
    mesh = load_mesh(f"istio: {{sources: [{source}]}}")
    with pytest.raises(InvalidInput, match=r"manifests/a\.yaml:1: meshConfig\.trustDomian"):
        charts.given(mesh, mesh.chart_sources()[0][2])
