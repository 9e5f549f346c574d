"""What several folders share: a simulated cluster, a client for it, and a namespace of one's own.

The sandbox is started once for the session, at twenty times the speed of real time, and only when a test asks for it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import hypothesis
import pytest

from tools.processes import Process, stop_all

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from tests.scenarios.scene import Scene

ROOT = Path(__file__).resolve().parents[1]
SPEED = 20
PATIENCE = 120.0  # seconds until what should come true has failed to: only a broken test waits so long

# Before anything imports Airflow: it reads its settings once, and some tests empty its database. What this machine is
# set up for (another Airflow, a cluster, a proxy that knows no loopback) must neither help the tests nor be hurt.
OWN = ("AIRFLOW", "_AIRFLOW", "MESHFLOW", "SANDBOX_", "KUBE")
for name in [name for name in os.environ if name.upper().startswith(OWN) or name.upper().endswith("_PROXY")]:
    del os.environ[name]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

hypothesis.settings.register_profile(
    "meshflow",
    deadline=None,  # a busy machine is no failure
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=True,  # the same code gets the same verdict every time
)
hypothesis.settings.load_profile("meshflow")


class Sandbox(NamedTuple):
    """A running sandbox cluster. `facts` are those of its state file: server, token, ca, registry, charts…"""

    kubeconfig: Path
    state: Path
    facts: dict[str, Any]

    @property
    def control(self) -> str:
        """The URL that the control API is under."""
        return f"{self.facts['server']}/_sandbox"

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request to the control API, as the command line makes it."""
        from sandbox import cli

        return cli.call(self.state, method, path, body)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster with the CRDs of Istio and Flagger. Shared: use a namespace of your own, leave nothing cluster-wide."""
    yield from running_sandbox(tmp_path_factory.mktemp("sandbox"), "--speed", str(SPEED), "--crds")


def running_sandbox(folder: Path, *options: str) -> Iterator[Sandbox]:
    """Start a sandbox with these options, yield it, stop it. For tests that need one of their own."""
    command = [sys.executable, "-m", "sandbox", "up", "--port", "0", "--state", str(folder), *options]
    process = Process("sandbox", command, env=os.environ, log=folder / "log", cwd=ROOT)
    process.start()
    try:
        process.until((folder / "state.json").exists, seconds=PATIENCE)
        facts = json.loads((folder / "state.json").read_text())
        yield Sandbox(Path(facts["kubeconfig"]), folder, facts)
    finally:
        stop_all([process])


@pytest.fixture
async def kube(sandbox: Sandbox) -> AsyncIterator[Kube]:
    """A client of the shared sandbox."""
    from meshflow.clients.kube import kube_from_config

    async with kube_from_config(sandbox.kubeconfig, cluster="sandbox") as client:
        yield client


@pytest.fixture
async def namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace of the test's own; deleted afterwards, without waiting for it."""
    from meshflow.objects.reference import Reference

    name = f"test-{uuid.uuid4().hex[:10]}"
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await kube.delete(Reference("", "Namespace", None, name))


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Airflow and an empty cluster, started when the first test asks; most want `mesh`."""
    from tests.scenarios import staging

    yield from staging.staged(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="session")
def mesh(scene: Scene) -> Scene:
    """The same after bootstrap_mesh."""
    ended = scene.run("bootstrap_mesh")
    assert ended.state == "success", scene.why(ended)
    return scene
