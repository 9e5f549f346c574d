"""The declared mesh: include/mesh.yaml read into one typed, frozen model.

`load` reads the file, lays the environment over it and returns a `Mesh`. It is fast and knows neither Airflow nor the
network, so DAG files may call it while they are parsed. What each setting means, its unit and its default stand beside
the field in `declared` and in include/mesh.yaml.

Environment, for what differs from machine to machine and does not belong in the repository:

    MESHFLOW_MESH             another mesh.yaml
    MESHFLOW_CHART_MIRROR     one URL that serves every chart repository as URL/<repository>/index.yaml
    MESHFLOW_CHARTS_LOCK      another lock file, such as the one of a mirror whose archives differ
    MESHFLOW_CACHE            where fetched charts are kept
    MESHFLOW_REGISTRY_MIRROR  one URL asked instead of every image registry
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError, field_validator, model_validator

from meshflow import complaints, positions
from meshflow.declared import (
    Charts,
    ChartSource,
    Cluster,
    ConnectionId,
    Drift,
    Endpoint,
    Host,
    Ingress,
    Injection,
    Istio,
    Model,
    Name,
    Phase,
    Service,
    ServiceOverride,
    Services,
    Url,
)
from meshflow.errors import InvalidInput

PHASES = ("istio", "injection", "gateway", "mtls", "observability", "flagger")
"""The phases in the order in which a mesh is built."""


class Mesh(Model):
    """All of include/mesh.yaml."""

    clusters: dict[Name, Cluster] = Field({"default": Cluster()}, min_length=1)
    istio: Istio
    charts: Charts
    registries: dict[Host, Url] = {}  # image registry host → address asked instead
    registry_mirror: Url | None = None  # asked instead of every registry
    logins: dict[Host, ConnectionId] = {}  # host of a registry or chart repository → connection with login and password
    phases: dict[str, Phase]
    injection: Injection = Injection()
    services: Services = Services()
    prometheus: Endpoint
    grafana: Endpoint
    kiali: Endpoint
    ingress: Ingress = Ingress()
    drift: Drift = Drift()
    _document: positions.Document = PrivateAttr(default_factory=lambda: positions.Document({}, "mesh.yaml"))

    @field_validator("phases")
    @classmethod
    def _known_phases(cls, phases: dict[str, Phase]) -> dict[str, Phase]:
        for name in phases:
            if name not in PHASES:
                raise ValueError(f"unknown phase {name!r}{complaints.suggestion(name, PHASES)}")
        return phases

    @model_validator(mode="after")
    def _known_repositories(self) -> Self:
        for phase, number, source in self.chart_sources():
            if source.repository not in self.charts.repositories:
                near = complaints.suggestion(source.repository, self.charts.repositories)
                raise ValueError(
                    f"phases.{phase}.sources[{number}] names the unknown repository {source.repository!r}{near}"
                )
            if source.version is None and source.repository != "istio":
                raise ValueError(f"phases.{phase}.sources[{number}] needs a version")
        return self

    def chart_sources(self) -> list[tuple[str, int, ChartSource]]:
        """(phase, number, source) of every chart, in order."""
        return [
            (name, number, source)
            for name, phase in self.phases.items()
            for number, source in enumerate(phase.sources)
            if isinstance(source, ChartSource)
        ]

    def version_of(self, source: ChartSource) -> str:
        """The chart version of a source: its own, or Istio's."""
        return source.version or self.istio.version

    @property
    def file(self) -> Path:
        """The mesh.yaml that was read."""
        return Path(self._document.file)

    @property
    def manifests(self) -> Path:
        """The folder of all manifests, beside mesh.yaml."""
        return self.file.parent / "manifests"

    def where(self, *path: str | int) -> str:
        """`file:line` of a field of mesh.yaml."""
        return self._document.where(path)

    def phase(self, name: str) -> Phase:
        """A phase by name; InvalidInput for one that mesh.yaml does not have."""
        try:
            return self.phases[name]
        except KeyError:
            raise InvalidInput(
                f"no such phase{complaints.suggestion(name, self.phases)}",
                where=self.where("phases"),
                field="phases",
                value=name,
            ) from None

    def service(self, name: str) -> Service:
        """A service by name; InvalidInput for one that has no folder."""
        names = service_names(self.manifests.parent.parent, folder=self.manifests / self.services.path)
        if name not in names:
            raise InvalidInput(
                f"no such service{complaints.suggestion(name, names)}",
                where=str(self.manifests / self.services.path),
                value=name,
                way_out=f"Known are {', '.join(names) or 'none'}",
            )
        own = self.services.overrides.get(name, ServiceOverride())
        return Service(
            name=name,
            namespace=self.services.namespace,
            path=self.services.path / name,
            image=own.image,
            tags=own.tags or self.services.tags,
            policy=own.policy or self.services.policy,
            timeout=own.timeout or self.services.timeout,
        )

    def registry(self, host: str) -> str:
        """The address to ask for images of a registry host."""
        own = "https://registry-1.docker.io" if host == "docker.io" else f"https://{host}"
        return (self.registry_mirror or self.registries.get(host) or own).rstrip("/")


def default_file() -> Path:
    """include/mesh.yaml beside plugins/."""
    return Path(__file__).resolve().parents[2] / "include" / "mesh.yaml"


def load(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Mesh:
    """The mesh that is declared in `path` ($MESHFLOW_MESH, include/mesh.yaml).

    Raises InvalidInput with file, line and field for anything that is missing, unknown or of the wrong type.
    """
    file = (path or Path(environ.get("MESHFLOW_MESH") or default_file())).absolute()
    documents = positions.read(file)
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise InvalidInput("must be one YAML mapping", where=str(file))
    document = documents[0]
    try:
        mesh = Mesh.model_validate(_with_environment(document.value, file, environ))
    except ValidationError as error:
        raise complaints.readable(error, document, fields=_fields()) from None
    mesh._document = document
    return mesh


def service_names(root: Path | None = None, *, folder: Path | None = None) -> list[str]:
    """The folders under include/manifests/services of a checkout, sorted. Opens no file: cheap at parse time."""
    base = folder or (root or default_file().parents[1]) / "include" / "manifests" / "services"
    if not base.is_dir():
        return []
    return sorted(entry.name for entry in base.iterdir() if entry.is_dir() and entry.name[0] not in "._")


def _with_environment(value: dict[str, Any], file: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    data = dict(value)
    charts = dict(data["charts"]) if isinstance(data.get("charts"), dict) else None
    if charts is not None:
        charts["lock"] = environ.get("MESHFLOW_CHARTS_LOCK") or str(
            file.parent / str(charts.get("lock", "charts.lock"))
        )
        charts["cache"] = str(_cache(charts.get("cache"), file, environ))
        if mirror := _mirror(environ, "MESHFLOW_CHART_MIRROR"):
            charts["mirror"] = mirror
        data["charts"] = charts
    if mirror := _mirror(environ, "MESHFLOW_REGISTRY_MIRROR"):
        data["registry_mirror"] = mirror
    return data


def _mirror(environ: Mapping[str, str], name: str) -> str | None:
    mirror = environ.get(name)
    try:
        return TypeAdapter(Url).validate_python(mirror) if mirror else None
    except ValidationError as error:
        problem = complaints.sentence(error.errors(include_url=False)[0])
        raise InvalidInput(problem, where="environment", field=name, value=complaints.shown(mirror)) from None


def _cache(declared: Any, file: Path, environ: Mapping[str, str]) -> Path:
    if cache := environ.get("MESHFLOW_CACHE"):
        return Path(cache)
    if declared:
        return file.parent / str(declared)
    if home := environ.get("MESHFLOW_HOME"):
        return Path(home) / "cache"
    if home := environ.get("AIRFLOW_HOME"):
        return Path(home) / "meshflow" / "cache"
    return file.parent.parent / ".meshflow" / "cache"


def _fields() -> set[str]:
    """Every field name of every model here: what a typo may have been meant to be."""
    return {name for model in Model.__subclasses__() for name in model.model_fields}
