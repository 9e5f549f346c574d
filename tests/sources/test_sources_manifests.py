"""Manifests: typos name file, line and field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meshflow import settings
from meshflow.errors import InvalidInput
from meshflow.sources import render
from tests.sources.conftest import WIDGETS, OneChart, Write

LoadMesh = Callable[..., settings.Mesh]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: app
          image: web:1
          resources:
            requests: {cpu: 1, memory: 64Mi}
"""


@pytest.fixture
def rendered(write: Write, load_mesh: LoadMesh) -> Callable[[str], render.Rendered]:
    """Render a phase whose only source is one manifest."""

    def _render(text: str) -> render.Rendered:
        write("include/manifests/istio/web.yaml", text)
        mesh = load_mesh("istio: {sources: [{path: istio}]}")
        return render.phase(mesh, "istio", charts=OneChart())

    return _render


Render = Callable[[str], render.Rendered]


def refusal(rendered: Render, text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        rendered(text)
    return str(caught.value)


def test_an_object_keeps_what_was_written_and_where(rendered: Render) -> None:
    [desired] = rendered(DEPLOYMENT).objects
    assert str(desired.reference) == "Deployment/shop/web"
    assert desired.origin == "include/manifests/istio/web.yaml:1"
    assert desired.obj["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("replicas: 2", "replcas: 2", "web.yaml:7: spec.replcas: unknown field; did you mean 'replicas'?"),
        ("replicas: 2", "replicas: two", "web.yaml:7: spec.replicas: must be integer, not string (got 'two')"),
        (
            "          image: web:1",
            "          imgae: web:1",
            "web.yaml:16: spec.template.spec.containers[0].imgae: unknown field; did you mean 'image'?",
        ),
        (
            "requests: {cpu: 1,",
            "requests: {cpu: [1],",
            "web.yaml:18: spec.template.spec.containers[0].resources.requests.cpu: must be string or number, not array",
        ),
        ("  selector:\n    matchLabels: {app: web}\n", "", "web.yaml:6: spec: the field 'selector' is missing"),
        ("  name: web\n", "  name: Web_1\n", "web.yaml:4: metadata.name: not a legal name (got 'Web_1')"),
        ("  name: web\n", "", "web.yaml:3: metadata: the field 'metadata.name' is missing"),
        ("kind: Deployment", "kind: Deploiment", "web.yaml:2: kind: the kind Deploiment of apps/v1 is not known"),
        ("kind: Deployment\n", "", "web.yaml:1: the field 'kind' is missing"),
        ("  namespace: shop\n", "", "web.yaml:3: metadata: Deployment needs a namespace. Set metadata.namespace"),
    ],
)
def test_a_typo_names_file_line_and_field(rendered: Render, right: str, wrong: str, sentence: str) -> None:
    assert right in DEPLOYMENT
    text = refusal(rendered, DEPLOYMENT.replace(right, wrong, 1))
    assert text.startswith(f"include/manifests/istio/{sentence}"), text


def test_a_namespace_on_a_kind_without_one_is_refused(rendered: Render) -> None:
    text = refusal(rendered, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n")
    assert "web.yaml:3: metadata.namespace: Namespace has no namespace. Remove the field" in text


def test_an_object_that_is_there_twice_names_both_places(rendered: Render) -> None:
    text = refusal(rendered, DEPLOYMENT.lstrip() + "---" + DEPLOYMENT)
    assert "Deployment/shop/web is declared twice, first at include/manifests/istio/web.yaml:1" in text
    assert text.startswith("include/manifests/istio/web.yaml:20:")


def test_the_items_of_a_list_are_objects(rendered: Render) -> None:
    items = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n"
    assert [str(d.reference) for d in rendered(items).objects] == ["Namespace/a"]
    assert "web.yaml:4: items[0]" not in refusal(rendered, items.replace("name: a", "nmae: a"))


def test_names_with_colons_are_legal_for_roles_only(rendered: Render) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'mesh:reader'}\n"
    assert len(rendered(role).objects) == 1
    assert "not a legal name" in refusal(rendered, "apiVersion: v1\nkind: Namespace\nmetadata: {name: 'a:b'}\n")


def test_custom_resources_are_known_by_the_definition_in_the_same_set(rendered: Render) -> None:
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a, namespace: shop}\n"
    assert [str(d.reference) for d in rendered(f"{WIDGETS}---\n{widget}").objects][1] == "Widget/shop/a"


def test_a_folder_is_read_in_the_order_of_its_names_without_subfolders(write: Write, load_mesh: LoadMesh) -> None:
    for name in ("b.yaml", "a.yml", "values/c.yaml"):
        write(
            f"include/manifests/istio/{name}",
            f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {Path(name).stem}}}\n",
        )
    write("include/manifests/istio/notes.txt", "not a manifest")
    objects = render.phase(load_mesh("istio: {sources: [{path: istio}]}"), "istio", charts=OneChart()).objects
    assert [desired.reference.name for desired in objects] == ["a", "b"]


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path: Path, load_mesh: LoadMesh) -> None:
    (tmp_path / "include/manifests/istio").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="no manifests in this folder"):
        render.phase(load_mesh("istio: {sources: [{path: istio}]}"), "istio", charts=OneChart())
    with pytest.raises(InvalidInput, match=r"include/manifests/absent\.yaml: no such file"):
        render.phase(load_mesh("istio: {sources: [{path: absent.yaml}]}"), "istio", charts=OneChart())


def test_hidden_files_are_left_out(rendered: Render, write: Write, tmp_path: Path) -> None:
    write("include/manifests/istio/.web.yaml", "an editor's copy: [")
    (tmp_path / "include/manifests/istio/.#web.yaml").symlink_to("nobody@nowhere")
    assert len(rendered(DEPLOYMENT).objects) == 1


def test_a_link_to_itself_is_one_sentence(rendered: Render, tmp_path: Path) -> None:
    (tmp_path / "include/manifests/istio").mkdir(parents=True)
    (tmp_path / "include/manifests/istio/loop.yaml").symlink_to("loop.yaml")
    assert "loop.yaml: cannot be read: " in refusal(rendered, DEPLOYMENT)


def test_a_namespace_that_no_cluster_takes_names_its_line(rendered: Render) -> None:
    broken = DEPLOYMENT.replace("namespace: shop", "namespace: My Shop")
    assert "web.yaml:5: metadata.namespace: not a legal name (got 'My Shop')" in refusal(rendered, broken)
