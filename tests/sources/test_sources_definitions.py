"""Custom resources are held against the definitions that the declared charts bring."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from meshflow import settings
from meshflow.errors import InvalidInput, Unreachable
from meshflow.sources import render
from meshflow.sources.rendered import Rendered
from tests.sources.conftest import OneChart, PackChart, Write

LoadMesh = Callable[..., settings.Mesh]

DEFINITION = """
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: virtualservices.networking.istio.io}
    spec:
      group: networking.istio.io
      scope: Namespaced
      names: {kind: VirtualService, plural: virtualservices, listKind: VirtualServiceList, singular: virtualservice}
      versions:
        - name: v1
          served: true
          storage: true
          schema:
            openAPIV3Schema:
              type: object
              properties:
                spec:
                  type: object
                  required: [hosts]
                  properties:
                    hosts: {type: array, items: {type: string}}
                    mode: {type: string, enum: [STRICT, PERMISSIVE]}
                    port: {x-kubernetes-int-or-string: true}
                    note: {type: string, nullable: true}
                    free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}
                    labels: {type: object, additionalProperties: {type: string}}
    """
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web]
  mode: STRICT
  port: 80
  note: null
  free: {anything: {goes: 1}}
  labels: {a: b}
"""


class Unavailable:
    """A chart repository that is away."""

    def fetch(self, repository: str, name: str, version: str) -> Path:
        raise Unreachable("https://charts.example.com does not answer", target="https://charts.example.com")


@pytest.fixture
def rendered(write: Write, load_mesh: LoadMesh, pack_chart: PackChart) -> Callable[..., Rendered]:
    """Render a service with this route; the definitions come with a chart of the phase istio."""
    charts = OneChart(pack_chart({"crds/routes.yaml": DEFINITION}))

    def _render(text: str, store: object = charts) -> Rendered:
        write("include/manifests/services/web/route.yaml", text)
        mesh = load_mesh("istio: {sources: [{chart: istio/demo, release: mine, namespace: here}]}")
        return render.service(mesh, "web", charts=store)  # type: ignore[arg-type]

    return _render


Render = Callable[..., Rendered]


def test_what_fits_its_definition_is_taken(rendered: Render) -> None:
    assert [str(desired.reference) for desired in rendered(ROUTE).objects] == ["VirtualService/weather/web"]


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("hosts: [web]", "host: [web]", "route.yaml:6: spec.host: unknown field; did you mean 'hosts'?"),
        ("hosts: [web]", "hosts: web", "route.yaml:6: spec.hosts: must be array, not string (got 'web')"),
        ("  hosts: [web]\n", "", "route.yaml:5: spec: the field 'hosts' is missing"),
        ("STRICT", "STRICKT", "route.yaml:7: spec.mode: must be one of STRICT, PERMISSIVE; did you mean 'STRICT'?"),
        ("port: 80", "port: [80]", "route.yaml:8: spec.port: must be integer or string, not array"),
        ("{a: b}", "{a: 1}", "route.yaml:11: spec.labels.a: must be string, not integer (got 1)"),
        (
            "name: web\n",
            "name: web\n  label: {}\n",
            "route.yaml:5: metadata.label: unknown field; did you mean 'labels'?",
        ),
        ("spec:", "specs:", "route.yaml:5: specs: unknown field; did you mean 'spec'?"),
    ],
)
def test_a_typo_in_a_custom_resource_names_its_line(rendered: Render, right: str, wrong: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rendered(ROUTE.replace(right, wrong, 1))
    assert str(caught.value).startswith(f"include/manifests/services/web/{sentence}")


def test_definitions_are_made_once_and_kept(rendered: Render, tmp_path: Path) -> None:
    rendered(ROUTE)
    [kept] = (tmp_path / ".meshflow" / "cache" / "definitions").iterdir()
    before = kept.stat().st_mtime_ns
    rendered(ROUTE)
    assert kept.stat().st_mtime_ns == before
    for spoilt in (b"", b"{"):
        kept.write_bytes(spoilt)
        rendered(ROUTE)
        assert len(kept.read_bytes()) > len(spoilt)


def test_definitions_that_cannot_be_kept_stop_no_release(
    rendered: Render, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".meshflow" / "cache").mkdir(parents=True)
    (tmp_path / ".meshflow" / "cache" / "definitions").touch()
    assert rendered(ROUTE).objects
    assert "made anew each time" in caplog.text


def test_without_the_charts_a_service_is_rendered_and_left_to_the_server(
    rendered: Render, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    wrong = ROUTE.replace("hosts: [web]", "host: [web]")
    with caplog.at_level(logging.WARNING):
        assert len(rendered(wrong, Unavailable()).objects) == 1
    assert "istio/demo are left to the server: https://charts.example.com does not answer" in caplog.text
    assert not (tmp_path / ".meshflow").exists()
    assert len(rendered(wrong, None).objects) == 1


OWN = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}
"""
GADGET = "---\napiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g, namespace: shop}\nspec: {a: x}\n"


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("names: {kind: Gadget, plural: gadgets}", "names: []", "spec.names: must be object, not array"),
        ("names: {kind: Gadget, plural: gadgets}", "names:", "spec.names: the field 'names' is missing"),
        ("kind: Gadget, ", "", "spec.names: the field 'kind' is missing"),
        ("    - name: v1", "    - 1\n    - name: v1", "spec.versions[0]: must be object, not integer"),
        ("{a: x}", "{b: x}", "a.yaml:17: spec.b: unknown field"),
    ],
)
def test_a_definition_of_one_s_own_is_checked_before_it_is_used(
    write: Write, load_mesh: LoadMesh, right: str, wrong: str, sentence: str
) -> None:
    assert right in OWN + GADGET
    write("include/manifests/a.yaml", (OWN + GADGET).replace(right, wrong))
    mesh = load_mesh("istio: {sources: [{path: a.yaml}]}")
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        render.phase(mesh, "istio", charts=OneChart())


@pytest.mark.parametrize(
    "wrong", ["{type: nonsense}", "{enum: null}", "{type: [1]}", "text", "{items: 1, type: array}"]
)
def test_what_only_the_server_finds_in_a_definition_is_left_to_it(
    write: Write, load_mesh: LoadMesh, wrong: str
) -> None:
    write("include/manifests/a.yaml", OWN.replace("{type: string}", wrong) + GADGET.replace("a: x", "a: [x]"))
    mesh = load_mesh("istio: {sources: [{path: a.yaml}]}")
    with suppress(InvalidInput):  # what it allows is still checked; here is only asked that nothing worse happens
        assert render.phase(mesh, "istio", charts=OneChart()).objects
