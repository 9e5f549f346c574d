"""Phases and services put together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from meshflow import declared, settings
from meshflow.errors import InvalidInput
from meshflow.sources import render
from meshflow.sources.rendered import Rendered
from tests.sources.conftest import OneChart, Write

LoadMesh = Callable[..., settings.Mesh]


def namespace(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n{more}"


def names(rendered: Rendered) -> list[str]:
    return [desired.reference.name for desired in rendered.objects]


def test_a_stage_has_its_own_sources_and_those_without_a_stage(write: Write, load_mesh: LoadMesh) -> None:
    for name in ("both", "one", "two"):
        write(f"include/manifests/{name}.yaml", namespace(name))
    mesh = load_mesh(
        "mtls: {sources: [{path: both.yaml}, {path: one.yaml, stage: first}, {path: two.yaml, stage: second}]}"
    )
    assert names(render.phase(mesh, "mtls", charts=OneChart(), stage="first")) == ["both", "one"]
    assert names(render.phase(mesh, "mtls", charts=OneChart(), stage="second")) == ["both", "two"]
    assert names(render.phase(mesh, "mtls", charts=OneChart())) == ["both", "two"]
    with pytest.raises(InvalidInput, match=r"no such stage; did you mean 'first'\?"):
        render.phase(mesh, "mtls", charts=OneChart(), stage="frist")


def test_injected_namespaces_get_their_label_wherever_they_are_declared(write: Write, load_mesh: LoadMesh) -> None:
    write("include/manifests/gateway.yaml", namespace("istio-ingress"))
    write("include/manifests/weather.yaml", namespace("weather", "  labels: {team: sky}\n"))
    mesh = load_mesh(
        "gateway: {sources: [{path: gateway.yaml}]}\ninjection: {sources: [{path: weather.yaml}]}",
        "injection: {namespaces: [{name: weather}, {name: istio-ingress, revision: canary}, {name: shop}]}\n",
    )
    [ingress] = render.phase(mesh, "gateway", charts=OneChart()).objects
    assert ingress.obj["metadata"]["labels"] == {"istio.io/rev": "canary"}
    weather, shop = render.phase(mesh, "injection", charts=OneChart()).objects
    assert weather.obj["metadata"]["labels"] == {"team": "sky", "istio-injection": "enabled"}
    assert shop.obj["metadata"] == {"name": "shop", "labels": {"istio-injection": "enabled"}}


def test_the_revision_of_the_mesh_labels_its_namespaces(write: Write, load_mesh: LoadMesh) -> None:
    write("include/manifests/weather.yaml", namespace("weather"))
    mesh = load_mesh("injection: {sources: [{path: weather.yaml}]}", "injection: {namespaces: [{name: weather}]}\n")
    mesh = mesh.model_copy(update={"istio": declared.Istio(version="1.30.3", revision="1-30-3")})
    [weather] = render.phase(mesh, "injection", charts=OneChart()).objects
    assert weather.obj["metadata"]["labels"] == {"istio.io/rev": "1-30-3"}


def test_a_label_that_contradicts_the_declared_injection_is_refused(write: Write, load_mesh: LoadMesh) -> None:
    write("include/manifests/weather.yaml", namespace("weather", "  labels:\n    istio-injection: disabled\n"))
    mesh = load_mesh("injection: {sources: [{path: weather.yaml}]}", "injection: {namespaces: [{name: weather}]}\n")
    with pytest.raises(
        InvalidInput, match=r"weather\.yaml:6: metadata\.labels\.istio-injection: injection is declared"
    ):
        render.phase(mesh, "injection", charts=OneChart())


def test_a_service_gets_the_namespace_of_the_application(write: Write, load_mesh: LoadMesh) -> None:
    write(
        "include/manifests/services/web/account.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n"
    )
    [desired] = render.service(load_mesh("istio: {sources: []}"), "web").objects
    assert str(desired.reference) == "ServiceAccount/weather/web"


def test_what_was_rendered_survives_being_written_and_read(tmp_path: Path, write: Write, load_mesh: LoadMesh) -> None:
    write("include/manifests/a.yaml", namespace("a", "  annotations: {note: 'Grüße'}\n"))
    rendered = render.phase(load_mesh("istio: {sources: [{path: a.yaml}]}"), "istio", charts=OneChart())
    rendered.dump(tmp_path / "out" / "bundle.json")
    assert Rendered.load(tmp_path / "out" / "bundle.json") == rendered
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bundle.json"]


def test_a_bundle_that_was_changed_is_refused(tmp_path: Path, write: Write, load_mesh: LoadMesh) -> None:
    write("include/manifests/a.yaml", namespace("a"))
    rendered = render.phase(load_mesh("istio: {sources: [{path: a.yaml}]}"), "istio", charts=OneChart())
    file = tmp_path / "bundle.json"
    rendered.dump(file)
    document = json.loads(file.read_text())
    document["objects"][0]["object"]["metadata"]["labels"] = {"istio-injection": "disabled"}
    file.write_text(json.dumps(document))
    for spoilt in (json.dumps(document), "", "[]", "{}", json.dumps({**document, "objects": 1})):
        file.write_text(spoilt)
        with pytest.raises(InvalidInput, match="differ from their digest"):
            Rendered.load(file)


def test_the_digest_is_that_of_the_objects_alone(write: Write, load_mesh: LoadMesh) -> None:
    mesh = load_mesh("istio: {sources: [{path: a.yaml}]}")
    write("include/manifests/a.yaml", namespace("a"))
    first = render.phase(mesh, "istio", charts=OneChart()).digest
    write("include/manifests/a.yaml", "# a comment\n" + namespace("a"))
    assert render.phase(mesh, "istio", charts=OneChart()).digest == first
    write("include/manifests/a.yaml", namespace("b"))
    assert render.phase(mesh, "istio", charts=OneChart()).digest != first


def test_the_sources_are_told_in_lines_for_people(write: Write, load_mesh: LoadMesh) -> None:
    write("include/manifests/a.yaml", namespace("a"))
    mesh = load_mesh("istio: {sources: [{path: a.yaml}]}")
    assert render.phase(mesh, "istio", charts=OneChart()).sources == ("include/manifests/a.yaml: 1 object",)
