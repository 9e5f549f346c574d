"""Charts: what is rendered, what is left out, and where a wrong value stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from meshflow import declared, settings
from meshflow.errors import InvalidInput
from meshflow.sources import render
from meshflow.sources.rendered import Rendered
from tests.sources.conftest import WIDGETS, OneChart, PackChart, Write

LoadMesh = Callable[..., settings.Mesh]

CONFIG = """
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: {{ .Release.Name }}
      annotations: {}
      creationTimestamp: null
    data:
      install: {{ .Release.IsInstall | quote }}
      upgrade: {{ .Release.IsUpgrade | quote }}
      size: {{ .Values.size | quote }}
      colour: {{ .Values.colour | default "none" | quote }}
      options: {{ .Values.options | toJson | quote }}
    """
DEFAULTS = "size: 1\noptions: {}\nserver:\n  replicas: 1\n  image: {repository: x}\n"
DEFINITION = WIDGETS + "status: {conditions: []}\n"
CHART = {"values.yaml": DEFAULTS, "templates/config.yaml": CONFIG}


@pytest.fixture
def rendered(write: Write, load_mesh: LoadMesh, pack_chart: PackChart) -> Callable[..., Rendered]:
    """Render a chart of these files with these values."""

    def _render(files: Mapping[str, str], values: str = "size: 2\n", *, more: str = "") -> Rendered:
        write("include/manifests/values.yaml", values)
        mesh = load_mesh(
            "istio: {sources: [{chart: istio/demo, release: mine, namespace: here, values: values.yaml}]}", more
        )
        return render.phase(mesh, "istio", charts=OneChart(pack_chart(files)))

    return _render


Render = Callable[..., Rendered]


def refusal(rendered: Render, files: Mapping[str, str], values: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        rendered(files, values)
    return str(caught.value)


def test_a_chart_is_rendered_as_an_upgrade_in_its_namespace(rendered: Render) -> None:
    [desired] = rendered(CHART).objects
    assert str(desired.reference) == "ConfigMap/here/mine"
    assert desired.origin == "chart demo 1.0.0: templates/config.yaml"
    assert desired.obj["data"]["install"] == "false"
    assert desired.obj["data"]["upgrade"] == "true"
    assert desired.obj["data"]["size"] == "2"


def test_empty_metadata_and_status_are_not_claimed(rendered: Render) -> None:
    definition, config = rendered({**CHART, "crds/widgets.yaml": DEFINITION}).objects
    assert config.obj["metadata"] == {"name": "mine", "namespace": "here"}
    assert "status" not in definition.obj


def test_definitions_come_first_and_only_once(rendered: Render) -> None:
    kinds = [d.reference.kind for d in rendered({**CHART, "crds/widgets.yaml": DEFINITION}).objects]
    assert kinds == ["CustomResourceDefinition", "ConfigMap"]
    twice = {**CHART, "crds/widgets.yaml": DEFINITION, "templates/crd.yaml": DEFINITION}
    [definition] = [d for d in rendered(twice).objects if d.reference.kind == "CustomResourceDefinition"]
    assert definition.origin == "chart demo 1.0.0: templates/crd.yaml"


def test_hooks_tests_and_notes_are_left_out(rendered: Render) -> None:
    job = "apiVersion: v1\nkind: Pod\nmetadata: {name: check, annotations: {helm.sh/hook: test}}\n"
    files = {**CHART, "templates/tests/check.yaml": job, "templates/NOTES.txt": "Thank you for installing!"}
    assert [d.reference.kind for d in rendered(files).objects] == ["ConfigMap"]


def test_the_same_sources_give_the_same_digest(rendered: Render) -> None:
    assert rendered(CHART).digest == rendered(CHART).digest
    assert rendered(CHART).digest != rendered(CHART, "size: 3\n").digest


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("a: 1\nsize: 2\n", "include/manifests/values.yaml:1: a: the chart demo 1.0.0 has no such value"),
        ("# sizes\nsizes: 2\n", "values.yaml:2: sizes: the chart demo 1.0.0 has no such value; did you mean 'size'?"),
        (
            "server:\n  repicas: 2\n",
            "values.yaml:2: server.repicas: the chart demo 1.0.0 has no such value; did you mean 'replicas'?",
        ),
        ("server: {image: {repositroy: y}}\n", "values.yaml:1: server.image.repositroy: the chart demo"),
        ("size: 1\nsize: 2\n", "values.yaml:2: size: the key is already set at line 1"),
        ("- 1\n", "values.yaml:1: values must be a YAML mapping"),
    ],
)
def test_a_typo_in_a_value_names_file_line_and_field(rendered: Render, values: str, sentence: str) -> None:
    assert sentence in refusal(rendered, CHART, values)


def test_the_values_of_a_chart_in_the_chart_stand_under_its_alias(rendered: Render) -> None:
    chart = {
        "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n"
        "dependencies: [{name: sub, version: 1.x, alias: other, condition: other.enabled}]\n",
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        "charts/sub/templates/config.yaml": CONFIG.replace("{{ .Release.Name }}", "sub"),
        "templates/config.yaml": CONFIG,
    }
    assert len(rendered(chart, "other: {enabled: true, size: 3}\n").objects) == 2
    assert len(rendered(chart, "other: {enabled: false}\n").objects) == 1


def test_a_chart_without_the_charts_that_it_depends_on_is_refused(rendered: Render) -> None:
    """As by Helm: the archive would render, and what is missing would be pruned."""
    sentence = refusal(
        rendered,
        {
            **CHART,
            "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.x}]\n",
        },
        "size: 1\n",
    )
    assert "chart demo 1.0.0: lacks the chart sub that it depends on. Pack it again" in sentence


@pytest.mark.parametrize(
    ("values", "meant"),
    [("server: {imgae: {}}\n", "image"), ("server: {nodePoort: 80}\n", "nodePort")],
    ids=["two letters swapped", "only a template knows it"],
)
def test_a_key_that_is_nearly_a_known_one_is_a_typo(rendered: Render, values: str, meant: str) -> None:
    config = CONFIG.replace("size:", "port: {{ .Values.server.nodePort | quote }}\n      size:", 1)
    sentence = refusal(rendered, {**CHART, "templates/config.yaml": config}, values)
    assert f"the chart demo 1.0.0 has no such value; did you mean '{meant}'?" in sentence


def test_a_key_of_another_map_is_no_sibling(rendered: Render) -> None:
    """`.Values.dashboards.provider` of one map says nothing of the free keys of another that is called the same."""
    config = CONFIG.replace("size:", "port: {{ .Values.sidecar.server.provider | quote }}\n      size:", 1)
    chart = {"values.yaml": DEFAULTS + "sidecar: {server: {}}\n", "templates/config.yaml": config}
    assert rendered(chart, "server: {my-provider: {}}\n").objects


def test_a_typo_passes_a_schema_that_lets_everything_in_but_not_us(rendered: Render) -> None:
    schema = '{"type": "object", "properties": {"size": {"type": "integer"}, "extra": {"type": "string"}}}'
    chart = {**CHART, "values.schema.json": schema}
    assert "values.yaml:1: serverr: the chart demo 1.0.0 has no such value" in refusal(rendered, chart, "serverr: {}\n")
    assert rendered(chart, "extra: only the schema knows it\n").objects


def test_a_value_that_only_a_template_knows_is_allowed(rendered: Render) -> None:
    [desired] = rendered(CHART, "colour: blue\noptions: {anything: 1}\n").objects
    assert desired.obj["data"]["colour"] == "blue"
    assert desired.obj["data"]["options"] == '{"anything":1}'


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("server:\n  replicas: many\n", "values.yaml:2: server.replicas: the chart demo 1.0.0 refuses it: got string"),
        ("# x\nservr: {}\n", "values.yaml:2: servr: the chart demo 1.0.0 has no such value"),
    ],
)
def test_a_complaint_of_the_chart_s_schema_names_the_line(rendered: Render, values: str, sentence: str) -> None:
    schema = """
        {"type": "object", "additionalProperties": false, "properties": {
          "size": {"type": "integer"}, "options": {"type": "object"},
          "server": {"type": "object", "properties": {"replicas": {"type": "integer"}, "image": {"type": "object"}}}}}
        """
    assert sentence in refusal(rendered, {**CHART, "values.schema.json": schema}, values)


def test_defaults_that_a_chart_wraps_are_known_at_the_top(rendered: Render) -> None:
    files = {**CHART, "values.yaml": "_internal_defaults_do_not_set:\n  size: 1\n  replicas: 1\n"}
    assert rendered(files, "replicas: 2\n").objects
    assert "did you mean 'replicas'?" in refusal(rendered, files, "replcas: 2\n")


def test_a_failing_template_and_a_broken_archive_are_one_sentence(
    rendered: Render, tmp_path: Path, load_mesh: LoadMesh
) -> None:
    files = {**CHART, "templates/fail.yaml": '{{ fail "set a size" }}'}
    text = refusal(rendered, files, "size: 2\n")
    assert text.startswith("chart demo 1.0.0: a template fails:")
    assert "set a size" in text
    broken = tmp_path / "broken.tgz"
    broken.write_bytes(b"no archive")
    mesh = load_mesh("istio: {sources: [{chart: istio/demo, release: mine, namespace: here}]}")
    with pytest.raises(InvalidInput, match=r"broken\.tgz: not a Helm chart"):
        render.phase(mesh, "istio", charts=OneChart(broken))


def test_later_values_files_win(write: Write, load_mesh: LoadMesh, pack_chart: PackChart) -> None:
    write("include/manifests/a.yaml", "size: 1\noptions: {x: 1, y: 1}\n")
    write("include/manifests/b.yaml", "options: {y: 2}\n")
    mesh = load_mesh(
        "istio: {sources: [{chart: istio/demo, release: mine, namespace: here, values: [a.yaml, b.yaml]}]}"
    )
    [desired] = render.phase(mesh, "istio", charts=OneChart(pack_chart(CHART))).objects
    assert desired.obj["data"]["options"] == '{"x":1,"y":2}'


def test_the_revision_reaches_the_charts_of_istio(write: Write, load_mesh: LoadMesh, pack_chart: PackChart) -> None:
    files = {**CHART, "templates/config.yaml": CONFIG.replace(".Values.size", ".Values.revision")}
    mesh = load_mesh("istio: {sources: [{chart: istio/demo, release: mine, namespace: here}]}")
    mesh = mesh.model_copy(update={"istio": declared.Istio(version="1.30.3", revision="canary")})
    [desired] = render.phase(mesh, "istio", charts=OneChart(pack_chart(files))).objects
    assert desired.obj["data"]["size"] == "canary"


def test_a_chart_for_the_node_agent_is_left_out_unless_asked_for(load_mesh: LoadMesh, pack_chart: PackChart) -> None:
    mesh = load_mesh("istio: {sources: [{chart: istio/cni, when: cni, release: mine, namespace: here}]}")
    charts = OneChart(pack_chart(CHART))
    assert render.phase(mesh, "istio", charts=charts).objects == ()
    mesh = mesh.model_copy(update={"istio": declared.Istio(version="1.30.3", cni=True)})
    assert len(render.phase(mesh, "istio", charts=charts).objects) == 1
