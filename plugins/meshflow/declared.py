"""The parts of include/mesh.yaml as frozen models: what may be declared, in which unit, with which default and why.

The whole, and how it is read, is `settings`. The comments here and those in include/mesh.yaml say the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from meshflow.words import PushPolicy


def _like(pattern: str, meaning: str) -> AfterValidator:
    """A text of this form; `meaning` is what people are told who wrote another."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {meaning}")
        return text

    return AfterValidator(check)


Name = Annotated[str, _like(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "a name of small letters, digits, '-' and '.'")]
"""A name that Kubernetes accepts."""


def url(text: str) -> str:
    """The address of a server. Raises ValueError, in a sentence, for anything else."""
    try:
        parts = urlsplit(text)
        legal = parts.scheme in ("http", "https", "oci") and parts.hostname and parts.port != 0
    except ValueError:
        legal = False
    if not legal or re.search(r"\s", text):
        raise ValueError("must be an address that begins with https://, http:// or oci://")
    return text


def _anonymous(text: str) -> str:
    if "@" in text:
        raise ValueError("must be an address without user and password: those belong in a connection or a Secret")
    return text


Url = Annotated[str, AfterValidator(_anonymous), AfterValidator(url)]
"""An address without credentials: those belong in an Airflow connection."""

Host = Annotated[str, _like(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?", "a host, or host:port, and nothing more")]
"""A host, with its port where its address has one."""

ConnectionId = Annotated[str, _like(r"[\w#!()\-.:/\\]{1,250}", "the id of an Airflow connection")]
"""An Airflow connection."""

Schedule = Annotated[str, _like(r"@[a-z]+|\S+( +\S+){4,5}", "a cron expression of five fields, or a preset as @hourly")]
"""When something runs by itself."""


class Model(BaseModel):
    """Frozen, and strict about names: an unknown field is a typo."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Cluster(Model):
    """A cluster that the pipelines may act on."""

    connection: ConnectionId = "kubernetes_default"  # Airflow connection of type `kubernetes`


class Istio(Model):
    """The control plane."""

    version: Annotated[str, _like(r"\d+\.\d+\.\d+\S*", "a whole version, as 1.30.3")]
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

    chart: Annotated[str, _like(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*", "REPOSITORY/NAME")]
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
    port: int = Field(80, ge=1, le=65535)  # of the Service, by which clients come
    host: str | None = None  # the name that clients ask for; None: any


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

    schedule: Schedule | None = "@hourly"  # cron or preset; None: only by hand
