"""The declared mesh: include/mesh.yaml as typed, frozen models.

`load` reads the file, lays the environment over it and returns a `Mesh`. It is fast and knows neither Airflow nor the
network, so DAG files may call it while they are parsed. What each setting means, its unit and its default stand beside
the field here and in include/mesh.yaml.

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
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from meshflow import complaints, positions
from meshflow.errors import InvalidInput

PHASES = ("istio", "injection", "gateway", "mtls", "observability", "flagger")
"""The phases in the order in which a mesh is built."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
"""A name that Kubernetes accepts."""

Url = Annotated[str, Field(pattern=r"^(https?|oci)://[^\s@]+$")]
"""An address without credentials: those belong in an Airflow connection."""


class Model(BaseModel):
    """Frozen, and strict about names: an unknown field is a typo."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class PushPolicy(StrEnum):
    """What happens to a push that meets a running rollout of the same service."""

    QUEUE = "queue"  # it waits its turn
    SUPERSEDE = "supersede"  # it replaces the running one, unless that is being promoted
    COALESCE = "coalesce"  # only the latest of those that wait is rolled out
    REJECT = "reject"  # it is refused


class Cluster(Model):
    """A cluster that the pipelines may act on."""

    connection: str = "kubernetes_default"  # Airflow connection of type `kubernetes`


class Istio(Model):
    """The control plane."""

    version: str = Field(pattern=r"^\d+\.\d+\.\d+")
    revision: Name | None = None  # None installs the default revision
    cni: bool = False  # True: the CNI node agent instead of privileged init containers


class Charts(Model):
    """Where charts come from and how they are trusted."""

    repositories: dict[str, Url]  # the name used in sources → the repository's address
    mirror: Url | None = None  # serves every repository as MIRROR/<repository>/index.yaml
    allow_unlocked: tuple[str, ...] = ()  # "repository/name" of charts that may be used without a locked sha256
    lock: Path = Path("charts.lock")  # relative to mesh.yaml
    cache: Path | None = None  # None: under Airflow's home
    timeout: float = Field(30.0, gt=0)  # seconds for one answer of a repository

    def url(self, repository: str) -> str:
        """The address to ask for a repository: its place on the mirror if one is set."""
        if self.mirror:
            return f"{self.mirror.rstrip('/')}/{repository}"
        return self.repositories[repository].rstrip("/")


class ManifestSource(Model):
    """A YAML file, a folder of them, or a folder with a kustomization.yaml."""

    path: Path  # relative to the manifests folder
    stage: str | None = None  # only in this stage of the phase; None: in all of them


def _paths(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class ChartSource(Model):
    """A pinned Helm chart."""

    chart: str = Field(pattern=r"^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*$")  # repository/name
    version: str | None = None  # None: the version of Istio, for charts of its repository
    release: Name  # the release name that templates see
    namespace: Name
    values: Annotated[
        tuple[Path, ...], BeforeValidator(_paths)
    ] = ()  # later files win; relative to the manifests folder
    stage: str | None = None
    when: Literal["cni"] | None = None  # `cni`: only if istio.cni is true

    @property
    def repository(self) -> str:
        return self.chart.partition("/")[0]

    @property
    def name(self) -> str:
        return self.chart.partition("/")[2]


def _kind_of_source(value: Any) -> str:
    is_chart = (isinstance(value, dict) and "chart" in value) or isinstance(value, ChartSource)
    return "ChartSource" if is_chart else "ManifestSource"


Source = Annotated[
    Annotated[ManifestSource, Tag("ManifestSource")] | Annotated[ChartSource, Tag("ChartSource")],
    Discriminator(_kind_of_source),
]


class GeneratedSecret(Model):
    """A Secret that is made once, with random contents, if it is not there; never changed afterwards."""

    name: Name
    namespace: Name
    literals: dict[str, str] = {}  # keys whose contents are no secret, such as a user's name
    random: dict[str, Annotated[int, Field(ge=16, le=256)]] = {}  # key → length in characters


class Phase(Model):
    """One step of the mesh's life."""

    sources: tuple[Source, ...]
    secrets: tuple[GeneratedSecret, ...] = ()  # made after the phase's namespaces, before its workloads
    takeover: bool = False  # True: fields of other managers are taken over after they were reported
    approve: bool = False  # True: a person lets the plan through before it is applied
    prune_budget: float = Field(0.25, ge=0, le=1)  # share of the set's objects that one run may remove
    timeout: float = Field(600.0, gt=0)  # seconds that one stage may take to become healthy

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in the order in which they are applied; empty for a phase without any."""
        return tuple(dict.fromkeys(source.stage for source in self.sources if source.stage))


class InjectedNamespace(Model):
    """A namespace whose pods get a sidecar."""

    name: Name
    revision: Name | None = None  # None: the mesh's revision, or `istio-injection: enabled` without one


class Injection(Model):
    """Which namespaces are in the mesh, and how workloads are restarted into it."""

    namespaces: tuple[InjectedNamespace, ...] = ()
    batch: int = Field(2, ge=1)  # workloads restarted at a time
    timeout: float = Field(600.0, gt=0)  # seconds that one batch may take


class ServiceOverride(Model):
    """What one service does differently."""

    image: str | None = None  # repository whose pushes are rolled out; None: that of its first container
    tags: str | None = None  # shell pattern of the tags whose pushes are rolled out
    policy: PushPolicy | None = None
    timeout: float | None = Field(None, gt=0)


class Service(Model):
    """A service with all defaults filled in: what `Mesh.service` answers."""

    name: str
    namespace: str
    path: Path
    image: str | None
    tags: str
    policy: PushPolicy
    timeout: float


class Services(Model):
    """The application."""

    path: Path = Path("services")  # one folder for each service; relative to the manifests folder
    namespace: Name = "weather"
    tags: str = "*"  # shell pattern of the tags whose pushes are rolled out
    policy: PushPolicy = PushPolicy.QUEUE
    timeout: float = Field(3600.0, gt=0)  # seconds until a rollout that has not ended is given up
    overrides: dict[str, ServiceOverride] = {}


class SecretKey(Model):
    """One key of a Secret, in the namespace of what it belongs to."""

    name: Name
    key: str


class LoginSecret(Model):
    """A Secret with a name and a password, in the namespace of what it belongs to."""

    name: Name
    user: str = "admin-user"  # key of the name
    password: str = "admin-password"  # key of the password


class Ingress(Model):
    """The gateway through which clients come."""

    namespace: Name = "istio-ingress"
    service: Name = "istio-ingressgateway"
    port: int = Field(80, ge=1, le=65535)
    host: str | None = None  # sent as the Host header; None: the address itself


class Endpoint(Model):
    """Where an add-on answers: behind the API server's service proxy, or at a URL."""

    namespace: Name
    service: Name
    port: int = Field(ge=1, le=65535)  # of the Service
    scheme: Literal["http", "https"] = "http"
    path: str = ""  # prefix of every path, such as Kiali's /kiali
    url: Url | None = None  # asked directly instead of through the proxy
    token: SecretKey | None = None  # Secret in the cluster that holds the token to log in with
    login: LoginSecret | None = None  # Secret in the cluster that holds the name and password to log in with


class Drift(Model):
    """The scheduled comparison."""

    schedule: str | None = "@hourly"  # cron or preset; None: only by hand


class Mesh(Model):
    """All of include/mesh.yaml."""

    clusters: dict[Name, Cluster] = {"default": Cluster()}
    istio: Istio
    charts: Charts
    registries: dict[str, Url] = {}  # image registry host → address asked instead
    registry_mirror: Url | None = None  # asked instead of every registry
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
        if mirror := environ.get("MESHFLOW_CHART_MIRROR"):
            charts["mirror"] = mirror
        data["charts"] = charts
    if mirror := environ.get("MESHFLOW_REGISTRY_MIRROR"):
        data["registry_mirror"] = mirror
    return data


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
