"""The clients against the sandbox's chart repository and registry, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from meshflow import declared, settings
from meshflow.clients import charts, registry, web
from meshflow.errors import InvalidInput, NotFound, Unreachable, Untrusted
from sandbox.charts.repository import Repository
from sandbox.clock import Clock
from sandbox.registry import Registry
from sandbox.serving import Listener

ROOT = settings.default_file().parents[1]


@pytest.fixture
async def mirror() -> AsyncIterator[str]:
    listener = Listener(Repository().app)
    await listener.start()
    yield listener.url
    await listener.stop()


@pytest.fixture
async def images() -> AsyncIterator[str]:
    listener = Listener(Registry(Clock()).app)
    await listener.start()
    yield listener.url
    await listener.stop()


async def test_make_lock_locks_every_chart_of_mesh_yaml(mirror: str, tmp_path: Path) -> None:
    lock = tmp_path / "charts.lock"
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "plugins"),
        "MESHFLOW_CHART_MIRROR": mirror,
        "MESHFLOW_CHARTS_LOCK": str(lock),
        "MESHFLOW_CACHE": str(tmp_path / "cache"),
    }
    told = []
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tools.lock", cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        told.append(out.decode())
    assert "istio/istiod 1.30.3  new" in told[0]
    assert "istio/istiod 1.30.3  unchanged" in told[1]
    mesh = settings.load(environ=environ)
    store = charts.ChartStore(mesh.charts)
    assert list(store.locked()) == charts.wanted(mesh)
    assert store.fetch("istio", "istiod", "1.30.3").stat().st_size > 0


async def test_a_chart_of_another_repository_than_the_locked_one_is_refused(mirror: str, tmp_path: Path) -> None:
    """The committed lock has the digests of the real charts; the sandbox's stand-ins differ."""
    environ = {"MESHFLOW_CHART_MIRROR": mirror, "MESHFLOW_CACHE": str(tmp_path)}
    store = charts.ChartStore(settings.load(environ=environ).charts)
    with pytest.raises(InvalidInput, match=r"the archive of flagger/flagger 1\.44\.0 has the sha256"):
        await asyncio.to_thread(store.fetch, "flagger", "flagger", "1.44.0")


async def test_tags_of_the_sandbox_s_registry_are_resolved(images: str) -> None:
    found = await registry.resolve("ghcr.io/stefanprodan/podinfo:6.14.1", registries=lambda host: images)
    assert found.repository == "ghcr.io/stefanprodan/podinfo"
    pinned = await registry.resolve(found.pinned, registries=lambda host: images)
    assert pinned == found._replace(tag=None)
    with pytest.raises(NotFound, match=r"has no tag 6\.14\.9; it has 6\.14"):
        await registry.resolve("ghcr.io/stefanprodan/podinfo:6.14.9", registries=lambda host: images)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SSL_CERT_FILE", "/no/such/file.pem"), ("HTTPS_PROXY", "ftp://proxy.example.com"), ("HTTPS_PROXY", "socks5://x")],
)
async def test_an_environment_that_leads_nowhere_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    expected = "environment of this worker: leads to no connection: .*Correct SSL_CERT_FILE"
    with pytest.raises(InvalidInput, match=expected):
        await registry.resolve("reg.example.com/a/b:1")
    store = charts.ChartStore(
        declared.Charts(repositories={"x": "https://charts.example.com"}, cache=tmp_path, lock=tmp_path / "lock")
    )
    with pytest.raises(InvalidInput, match=expected):
        await asyncio.to_thread(store.lock, [charts.Pin("x", "y", "1")])


async def test_a_proxy_that_does_not_answer_is_named_and_its_password_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://robot:s3cret@127.0.0.1:9")
    with pytest.raises(Unreachable, match="does not answer through the proxy of HTTPS_PROXY") as refused:
        await registry.resolve("reg.example.com/a/b:1")
    assert "s3cret" not in str(refused.value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 does not answer: "):
        await registry.resolve("reg.example.com/a/b:1", registries=lambda host: "http://127.0.0.1:9")


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    problem = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    error = web.unreachable(problem, "https://reg.example.com/v2/", way_out="Try later")
    assert isinstance(error, Untrusted)
    assert "SSL_CERT_FILE" in str(error)
