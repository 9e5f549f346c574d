"""mesh.yaml as typed settings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from meshflow import declared, settings
from meshflow.errors import InvalidInput
from meshflow.words import PushPolicy

MINIMAL = """\
istio: {version: 1.30.3}
charts:
  repositories:
    istio: https://charts.example.com/istio
phases:
  istio:
    sources:
      - path: istio/namespace.yaml
      - chart: istio/base
        release: istio-base
        namespace: istio-system
prometheus: {namespace: observability, service: prometheus-server, port: 80}
grafana: {namespace: observability, service: grafana, port: 80}
kiali: {namespace: observability, service: kiali, port: 20001}
"""


def mesh_of(folder: Path, text: str = MINIMAL, **environ: str) -> settings.Mesh:
    file = folder / "include" / "mesh.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return settings.load(file, environ=environ)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        mesh_of(folder, text)
    return str(caught.value)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    mesh = mesh_of(tmp_path)
    assert mesh.clusters["default"].connection == "kubernetes_default"
    assert mesh.phase("istio").prune_budget == 0.25
    assert mesh.services.policy is PushPolicy.QUEUE
    assert mesh.manifests == tmp_path / "include" / "manifests"
    assert mesh.charts.lock == tmp_path / "include" / "charts.lock"


def test_charts_of_istio_have_the_version_of_istio(tmp_path: Path) -> None:
    mesh = mesh_of(tmp_path)
    [(phase, number, source)] = mesh.chart_sources()
    assert (phase, number, mesh.version_of(source)) == ("istio", 1, "1.30.3")
    assert (source.repository, source.name) == ("istio", "base")


def test_a_misspelt_field_names_file_line_and_the_nearest_field(tmp_path: Path) -> None:
    only = MINIMAL.replace("namespace: istio-system", "namespace: istio-system\n        relese: x")
    text = refusal(tmp_path, only)
    assert "mesh.yaml:12: phases.istio.sources[1].relese: unknown field; did you mean 'release'?" in text


def test_a_wrong_type_names_the_value(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL.replace("port: 20001", "port: many"))
    assert "mesh.yaml:14: kiali.port:" in text
    assert "(got 'many')" in text


def test_a_missing_field_is_named_at_its_parent(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL.replace("istio: {version: 1.30.3}\n", "istio: {}\n"))
    assert "mesh.yaml:1: istio: the field 'version' is missing" in text


def test_several_problems_are_counted(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL.replace("port: 80}", "prot: 80}"))
    assert "more problem(s) follow in this file" in text


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL + "istio: {version: 1.31.0}\n")
    assert "mesh.yaml:15: istio: the key is already set at line 1" in text


def test_an_unknown_chart_repository_is_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL.replace("chart: istio/base", "chart: isto/base"))
    assert "unknown repository 'isto'; did you mean 'istio'?" in text


def test_an_address_with_credentials_is_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL.replace("https://charts.example.com", "https://me:secret@charts.example.com"))
    assert "charts.repositories.istio" in text
    assert "https://me:secret" not in text


@pytest.mark.parametrize("url", ["https://[::1", "https://example.com:99999", "https:///charts", "https://a:b"])
def test_an_address_that_leads_nowhere_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"mesh\.yaml:\d+: registry_mirror: "):
        mesh_of(tmp_path, f"{MINIMAL}registry_mirror: '{url}'\n")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("logins: {'https://ghcr.io': x}", "logins[https://ghcr.io]: must be a host, or host:port, and nothing more"),
        ("logins: {ghcr.io/team: x}", "must be a host, or host:port, and nothing more"),
        ("logins: {ghcr.io: {user: a, password: s3cret}}", "logins[ghcr.io]: must be a text"),
        ("logins: {ghcr.io: 1}", "logins[ghcr.io]: must be a text: write it in quotes (got 1)"),
        ("logins: [a]", "logins: must be a map"),
        ("registries: {'https://ghcr.io': 'https://x'}", "registries[https://ghcr.io]: must be a host"),
        ("registry_mirror: 'https://u:s3cret@x'", "without user and password: those belong in"),
        ("clusters: {}", "clusters: must not be empty"),
        ("clusters: {a: {connection: a b}}", "clusters.a.connection: must be the id of an Airflow connection"),
        ("drift: {schedule: every hour}", "schedule: must be a cron expression of five fields, or a preset as @hourly"),
        ("injection: {batch: two}", "injection.batch: must be a whole number (got 'two')"),
        ("services: {timeout: 1h}", "services.timeout: must be a number (got '1h')"),
    ],
)
def test_what_has_the_wrong_form_is_told_in_words(tmp_path: Path, written: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        mesh_of(tmp_path, f"{MINIMAL}{written}\n")
    assert sentence in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_connections_may_be_called_what_airflow_lets_them_be_called(tmp_path: Path) -> None:
    mesh = mesh_of(tmp_path, f"{MINIMAL}logins: {{ghcr.io: 'team/ghcr:read(1)'}}\n")
    assert mesh.logins == {"ghcr.io": "team/ghcr:read(1)"}


@pytest.mark.parametrize("name", ["MESHFLOW_CHART_MIRROR", "MESHFLOW_REGISTRY_MIRROR"])
def test_a_wrong_variable_of_the_environment_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "mesh.yaml").write_text(MINIMAL)
    for value, problem in (("example.com", "must be an address that"), ("https://u:s3cret@x", "without user and")):
        with pytest.raises(InvalidInput, match=rf"^environment: {name}: .*{problem}") as refused:
            settings.load(tmp_path / "mesh.yaml", environ={name: value})
        assert "s3cret" not in str(refused.value)


def test_an_unknown_phase_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    assert "did you mean 'istio'?" in refusal(tmp_path, MINIMAL.replace("phases:\n  istio:", "phases:\n  isto:"))
    with pytest.raises(InvalidInput, match=r"no such phase; did you mean 'istio'\?"):
        mesh_of(tmp_path).phase("istios")


def test_the_environment_is_laid_over_the_file(tmp_path: Path) -> None:
    mesh = mesh_of(
        tmp_path,
        MESHFLOW_CHART_MIRROR="http://127.0.0.1:8000",
        MESHFLOW_CHARTS_LOCK=str(tmp_path / "other.lock"),
        MESHFLOW_CACHE=str(tmp_path / "cache"),
        MESHFLOW_REGISTRY_MIRROR="http://127.0.0.1:5000/",
    )
    assert mesh.charts.url("istio") == "http://127.0.0.1:8000/istio"
    assert mesh.charts.lock == tmp_path / "other.lock"
    assert mesh.charts.cache == tmp_path / "cache"
    assert mesh.registry("ghcr.io") == "http://127.0.0.1:5000"


def test_the_environment_names_another_file(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.yaml"
    file.write_text(MINIMAL)
    assert settings.load(environ={"MESHFLOW_MESH": str(file)}).file == file


def test_without_a_mirror_registries_are_asked_under_their_own_name(tmp_path: Path) -> None:
    mesh = mesh_of(tmp_path, MINIMAL + "registries: {ghcr.io: 'https://mirror.example.com'}\n")
    assert mesh.registry("ghcr.io") == "https://mirror.example.com"
    assert mesh.registry("quay.io") == "https://quay.io"
    assert mesh.registry("docker.io") == "https://registry-1.docker.io"


def test_a_service_is_a_folder_with_its_overrides(tmp_path: Path) -> None:
    mesh = mesh_of(tmp_path, MINIMAL + "services: {overrides: {frontend: {policy: reject}}}\n")
    (mesh.manifests / "services" / "frontend").mkdir(parents=True)
    service = mesh.service("frontend")
    assert (service.namespace, service.policy, service.timeout) == ("weather", PushPolicy.REJECT, 3600.0)
    with pytest.raises(InvalidInput, match=r"no such service; did you mean 'frontend'\?.*frontends"):
        mesh.service("frontends")


def test_service_names_are_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "include" / "manifests" / "services"
    for name in ("b", "a", ".hidden", "_shared"):
        (folder / name).mkdir(parents=True)
    (folder / "README.md").touch()
    assert settings.service_names(tmp_path) == ["a", "b"]
    assert settings.service_names(tmp_path / "nowhere") == []


def test_stages_come_in_the_order_of_their_first_source(tmp_path: Path) -> None:
    phase = declared.Phase.model_validate(
        {
            "sources": [
                {"path": "a"},
                {"path": "b", "stage": "one"},
                {"path": "c", "stage": "two"},
                {"path": "d", "stage": "one"},
            ]
        }
    )
    assert phase.stages == ("one", "two")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        settings.load(tmp_path / "mesh.yaml", environ={})


def test_the_declared_mesh_is_valid() -> None:
    """include/mesh.yaml itself: every values file and manifest that it names is there."""
    mesh = settings.load(environ={})
    assert tuple(mesh.phases) == settings.PHASES
    for name, phase in mesh.phases.items():
        for source in phase.sources:
            paths = source.values if isinstance(source, declared.ChartSource) else (source.path,)
            for path in paths:
                assert (mesh.manifests / path).exists(), f"{name}: {path}"


def test_settings_load_without_airflow_and_network_libraries() -> None:
    code = (
        "import sys; from meshflow import settings; settings.load(environ={});"
        "print([m for m in ('airflow', 'httpx', 'helm_python', 'kubernetes_asyncio') if m in sys.modules])"
    )
    plugins = settings.default_file().parents[1] / "plugins"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(plugins)}
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_setting_stands_in_the_declared_mesh_at_least_in_a_comment() -> None:
    """Whoever reads include/mesh.yaml sees all there is to set."""
    text = settings.default_file().read_text()
    models = [model for model in declared.Model.__subclasses__() if model is not declared.Service]
    missing = [f"{m.__name__}.{name}" for m in models for name in m.model_fields if not re.search(rf"\b{name}\b", text)]
    assert missing == []
