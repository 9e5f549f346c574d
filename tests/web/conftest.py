"""The application with services of a test's own: no database, no registry, no Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient

from meshflow import errors, settings
from meshflow.release.policy import Running, Waiting
from meshflow.web import access
from meshflow.web.app import Services, create
from meshflow.web.arrivals import Queue
from tests.operators.harness import MESH, deployment

SECRET = "a-long-random-text"
DIGEST = f"sha256:{'a' * 64}"


class FakeRuns:
    """Airflow's runs in a dict."""

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.dropped: list[str] = []
        self.running: Running | None = None
        self.waiting: tuple[Waiting, ...] = ()
        self.unknown: set[str] = set()
        self.raced = False
        self.superseded: list[str] = []

    def exists(self, dag_id: str, run: str) -> bool:
        return run in self.started and not self.raced

    def queue(self, dag_id: str) -> Queue:
        return Queue(self.running, self.waiting)

    def start(self, dag_id: str, run: str, *, conf: Mapping[str, Any], by: str, note: str) -> bool:
        if dag_id in self.unknown:
            raise errors.NotFound(f"Airflow does not know the DAG {dag_id} (yet)")
        if run in self.started:
            return False
        self.started[run] = {"dag": dag_id, "by": by, "note": note, **conf}
        return True

    def drop(self, dag_id: str, run: str, *, note: str) -> None:
        self.dropped.append(run)

    def supersede(self, dag_id: str, run: str, *, by: str) -> None:
        self.superseded.append(run)


class World:
    """Two services that follow one repository, and what the application is given."""

    def __init__(self, root: Path) -> None:
        self.root, self.runs = root, FakeRuns()
        self.secret: str | None = SECRET
        self.digests: dict[str, str] = {}
        self.phase = "Progressing"
        self.readable = {"rollout_web", "install_istio"}
        self.records = root / "records"
        for name in ("api", "web"):
            self.service(name, f"ghcr.io/acme/{name}:1")
        self.declare()

    def service(self, name: str, image: str) -> None:
        folder = self.root / "include/manifests/services" / name
        folder.mkdir(parents=True)
        (folder / "all.yaml").write_text(yaml.safe_dump(deployment(name, "weather", image=image)))

    def declare(self, **services: Any) -> None:
        """The settings `services`."""
        declared = {**yaml.safe_load(MESH), "phases": {}, "services": services}
        (self.root / "include/mesh.yaml").write_text(yaml.safe_dump(declared))

    def resolve(self, mesh: settings.Mesh, image: str) -> str:
        if image not in self.digests:
            raise errors.NotFound(f"{image} is not in its registry")
        return self.digests[image]

    def services(self) -> Services:
        return Services(
            secret=lambda: self.secret,
            runs=self.runs,
            mesh=lambda: settings.load(self.root / "include/mesh.yaml", environ={}),
            resolve=self.resolve,
            phase=lambda mesh, service: self.phase,
            records=lambda: self.records,
            may_read=lambda user, dag_id: dag_id in self.readable,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def mounted(app: FastAPI) -> TestClient:
    """As Airflow mounts it."""
    outer = FastAPI()
    outer.mount("/meshflow", app)
    return TestClient(outer)


@pytest.fixture
def client(world: World) -> TestClient:
    """Nobody is logged in to Airflow."""
    return mounted(create(world.services()))


@pytest.fixture
def reader(world: World) -> TestClient:
    """Somebody is logged in to Airflow."""
    app = create(world.services())
    app.dependency_overrides[access.get_user] = lambda: SimpleNamespace(name="ada")
    return mounted(app)
