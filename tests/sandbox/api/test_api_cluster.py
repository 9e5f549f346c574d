"""The whole cluster over its real socket: control API, resets, and the command line."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import cli
from sandbox.api.http import Reset
from sandbox.cluster import Cluster
from tests.conftest import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(speed=50) as made:
        yield made


@pytest.fixture
async def http(cluster: Cluster) -> AsyncIterator[httpx.AsyncClient]:
    config = cluster.kubeconfig()
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    trust = ssl.create_default_context(cadata=authority)
    async with httpx.AsyncClient(base_url=cluster.url, verify=trust, headers=headers, trust_env=False) as client:
        yield client


async def test_the_status_counts_writes_and_requests(cluster: Cluster, http: httpx.AsyncClient) -> None:
    before = (await http.get("/_sandbox/status")).json()
    await http.post("/api/v1/namespaces", json={"metadata": {"name": "shop"}})
    after = (await http.get("/_sandbox/status")).json()
    assert after["writes"] > before["writes"]
    assert after["requests"]["create namespaces"] == 1
    assert after["objects"]["namespaces"] == 5


async def test_a_fault_can_reset_the_connection(cluster: Cluster, http: httpx.AsyncClient) -> None:
    async def reset(info: Any) -> None:
        raise Reset

    cluster.application.before = reset
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await http.get("/api/v1/namespaces")


async def test_a_watch_over_the_wire_ends_when_it_is_cut(cluster: Cluster, http: httpx.AsyncClient) -> None:
    params = {"watch": "true", "fieldSelector": "metadata.name=default"}
    async with http.stream("GET", "/api/v1/namespaces", params=params) as stream:
        lines = stream.aiter_lines()
        assert json.loads(await anext(lines))["type"] == "ADDED"
        for watch in list(cluster.server.watches):
            watch.end()
        assert [line async for line in lines] == []
    assert not cluster.server.watches


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "says"),
    [
        ("GET", "nope", None, 404, "status"),
        ("POST", "speed", {"speed": 0}, 400, "above 0"),
        ("POST", "tokens", {}, 400, "'user'"),
        ("POST", "tokens", {"user": "x", "rules": [{"resources": ["pods"]}]}, 400, "verbs"),
        ("POST", "speed", [], 400, "JSON object"),
    ],
)
async def test_a_wrong_control_request_is_answered_with_a_sentence(
    http: httpx.AsyncClient, method: str, path: str, body: Any, code: int, says: str
) -> None:
    answer = await http.request(method, f"/_sandbox/{path}", json=body)
    assert answer.status_code == code
    assert says in answer.json()["error"]


async def test_a_limited_token_comes_from_the_control_api(http: httpx.AsyncClient) -> None:
    rules = [{"verbs": ["get"], "resources": ["namespaces"]}]
    token = (await http.post("/_sandbox/tokens", json={"user": "guest", "rules": rules})).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert (await http.get("/api/v1/namespaces/default", headers=headers)).status_code == 200
    assert (await http.get("/api/v1/namespaces", headers=headers)).status_code == 403
    assert (await http.get("/_sandbox/status", headers=headers)).status_code == 403


async def test_every_route_of_the_control_api_is_in_the_readme(cluster: Cluster) -> None:
    text = (ROOT / "sandbox" / "README.md").read_text()
    missing = [r for r in cluster.control.routes if f"`{r.method} /_sandbox/{r.path}`" not in text]
    assert not missing


def test_every_verb_is_in_the_readme() -> None:
    text = (ROOT / "sandbox" / "README.md").read_text()
    assert not [verb.name for verb in cli.verbs() if f"| `{verb.name}" not in text]


def command(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "sandbox", *words, "--state", str(state)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_up_status_and_down_from_the_command_line(tmp_path: Path) -> None:
    up = command(tmp_path, "up", "--detach")
    assert up.returncode == 0, up.stderr
    try:
        assert (tmp_path / "kubeconfig").stat().st_mode & 0o077 == 0
        again = command(tmp_path, "up", "--detach")
        assert (again.returncode, "running already" in again.stderr) == (1, True)
        status = json.loads(command(tmp_path, "status", "--json").stdout)
        assert status["server"].startswith("https://127.0.0.1:")
    finally:
        down = command(tmp_path, "down")
    assert (down.returncode, down.stdout.strip()) == (0, "sandbox: stopped")
    assert not (tmp_path / "state.json").exists()


def test_without_a_sandbox_the_command_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--state", str(tmp_path)]) == 1
    assert "no sandbox is running here" in capsys.readouterr().err


def test_down_clears_what_a_crash_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "state.json").write_text(json.dumps({"pid": ended.pid, "server": "https://127.0.0.1:1"}))
    assert cli.main(["down", "--state", str(tmp_path)]) == 0
    assert not (tmp_path / "state.json").exists()
    assert os.listdir(tmp_path) == []
