"""One chart source of mesh.yaml: its archive, its values, its objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from meshflow.declared import ChartSource
from meshflow.mesh import config
from meshflow.settings import Mesh
from meshflow.sources import helm, schema, values
from meshflow.sources.manifests import Item


class Charts(Protocol):
    """What rendering needs of `clients.charts.ChartStore`."""

    def fetch(self, repository: str, name: str, version: str) -> Path: ...


def used(mesh: Mesh, source: ChartSource) -> bool:
    """False for a chart that mesh.yaml turns off."""
    return source.when != "cni" or mesh.istio.cni


def archive(mesh: Mesh, source: ChartSource, charts: Charts) -> Path:
    """The chart's archive, checked against the lock."""
    return charts.fetch(source.repository, source.name, mesh.version_of(source))


def given(mesh: Mesh, source: ChartSource) -> values.Values:
    """The values in the source's files.

    `meshConfig` of Istio's chart is checked here: the chart takes anything, and istiod says nothing of what it skips.
    """
    found = values.read([mesh.manifests / path for path in source.values], root=root(mesh))
    if source.repository == "istio" and source.name == "istiod" and config.known_to(mesh.version_of(source)):
        written = found.merged.get("meshConfig")
        for path, problem, value in schema.problems(written, config.MESH_CONFIG, ("meshConfig",)):
            raise found.error(problem, path, otherwise=source.chart, value=value)
    return found


def objects(mesh: Mesh, source: ChartSource, charts: Charts) -> list[Item]:
    """The chart's objects; those that name no namespace belong into the release's."""
    return helm.render(
        archive(mesh, source, charts),
        release=helm.Release(source.release, source.namespace),
        given=given(mesh, source),
        computed=computed(mesh, source),
    )


def computed(mesh: Mesh, source: ChartSource) -> dict[str, Any]:
    """Values that follow from mesh.yaml, so that they stand in one place."""
    if source.repository != "istio":
        return {}
    found: dict[str, Any] = {}
    if mesh.istio.revision:
        found["defaultRevision" if source.name == "base" else "revision"] = mesh.istio.revision
    if mesh.istio.cni and source.name == "istiod":
        found["pilot"] = {"cni": {"enabled": True}}
    return found


def root(mesh: Mesh) -> Path:
    """The folder that printed paths are relative to: the checkout."""
    return mesh.manifests.parent.parent


def cache(mesh: Mesh) -> Path:
    """The folder of what may be made or fetched again."""
    return mesh.charts.cache or root(mesh) / ".meshflow" / "cache"
