"""A small checkout and charts to render."""

from __future__ import annotations

import io
import tarfile
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from meshflow import settings

Write = Callable[[str, str], Path]
PackChart = Callable[[Mapping[str, str]], Path]

WIDGETS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, listKind: WidgetList, singular: widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the checkout, dedented; returns its path."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    return _write


@pytest.fixture
def pack_chart(tmp_path: Path) -> PackChart:
    """Pack files into the archive of a chart `demo` 1.0.0."""

    def _pack(files: Mapping[str, str]) -> Path:
        chart = {"Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n", "values.yaml": "", **files}
        path = tmp_path / "demo-1.0.0.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for name, text in chart.items():
                data = textwrap.dedent(text).lstrip("\n").encode()
                entry = tarfile.TarInfo(f"demo/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return path

    return _pack


class OneChart:
    """A chart store with one archive, whatever it is asked for."""

    def __init__(self, archive: Path | None = None) -> None:
        self.archive = archive

    def fetch(self, repository: str, name: str, version: str) -> Path:
        assert self.archive is not None
        return self.archive


@pytest.fixture
def load_mesh(write: Write) -> Callable[..., settings.Mesh]:
    """A mesh.yaml with these phases and anything else at the end."""

    def _load(phases: str, more: str = "") -> settings.Mesh:
        file = write(
            "include/mesh.yaml",
            """
            istio: {version: 1.30.3}
            charts: {repositories: {istio: https://charts.example.com/istio, other: https://charts.example.com/other}}
            prometheus: {namespace: observability, service: prometheus-server, port: 80}
            grafana: {namespace: observability, service: grafana, port: 80}
            kiali: {namespace: observability, service: kiali, port: 20001}
            """,
        )
        text = file.read_text() + "phases:\n" + textwrap.indent(textwrap.dedent(phases).strip("\n"), "  ") + "\n"
        file.write_text(text + textwrap.dedent(more))
        return settings.load(file, environ={})

    return _load
