"""A real Prometheus as a child process, on loopback, with its data in a temporary folder.

It scrapes the sandbox, so every answer is the real one's. The process is ours alone: it is stopped by
its id when the stand-in sleeps, and by the kernel when the sandbox dies (Linux).
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import random
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.metrics import Metrics
from sandbox.serving import HOST, Listener
from sandbox.standins.prometheus import scrape

log = logging.getLogger(__name__)

READY_WITHIN = 60.0  # real seconds
STOP_WITHIN = 5.0
METHODS = ["GET", "POST", "HEAD", "OPTIONS"]
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Child:
    """One Prometheus and the loopback server that it scrapes."""

    def __init__(self, binary: str, metrics: Metrics, clock: Clock, refresh: scrape.Refresh) -> None:
        self._binary, self._metrics, self._clock = binary, metrics, clock
        self._client = httpx.AsyncClient(trust_env=False, timeout=10.0)
        self._pages = Listener(scrape.app(metrics, refresh))
        self.folder = Path()
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    def app(self) -> Starlette:
        """What answers behind Prometheus' Service: the child, except for the targets, which are the cluster's."""

        async def targets(_: Request) -> Response:
            return JSONResponse({"status": "success", "data": scrape.described(self._metrics, self._clock)})

        return Starlette(
            routes=[Route("/api/v1/targets", targets), Route("/{path:path}", self._forward, methods=METHODS)]
        )

    async def _forward(self, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name == "content-type"}
        try:
            answer = await self._client.request(
                request.method,
                f"{self.url}{request.url.path}",
                params=request.query_params,
                content=await request.body(),
                headers=headers,
            )
        except httpx.TransportError as error:
            return PlainTextResponse(f"prometheus does not answer: {error}", 502)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    async def start(self) -> None:
        """Start both. Raises OSError when Prometheus does not get ready; `stop` cleans up in any case."""
        self.folder = Path(tempfile.mkdtemp(prefix="sandbox-prometheus-"))
        await self._pages.start()
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps(_config(self._pages.port, scrape.interval(self._clock))))
        self._process = await asyncio.create_subprocess_exec(
            self._binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            "--storage.tsdb.retention.time=2h",
            f"--web.listen-address={HOST}:{port}",
            "--log.level=error",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        await self._until_ready()

    @property
    def pid(self) -> int:
        """The process; 0 before it is started."""
        return self._process.pid if self._process else 0

    async def stop(self) -> None:
        """End the process and the server, and remove the data."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._client.aclose()
        await self._pages.stop()
        if self.folder.name:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _until_ready(self) -> None:
        for _ in range(int(READY_WITHIN / 0.1)):
            if self._process is None or self._process.returncode is not None:
                break
            try:
                if (await self._client.get(f"{self.url}/-/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.1)
        raise OSError(f"{self._binary} did not get ready within {READY_WITHIN:g} s")


def _config(pages: int, seconds: float) -> dict[str, object]:
    """Prometheus' configuration; JSON is YAML. The one job takes the place of Prometheus' scrape of itself."""
    interval = f"{seconds * 1000:g}ms"
    job: dict[str, object] = {
        "job_name": scrape.SELF.job,
        "honor_labels": True,
        "metrics_path": scrape.ALL,
        "static_configs": [{"targets": [f"{HOST}:{pages}"], "labels": {"instance": scrape.SELF.instance}}],
    }
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": "1m"},
        "scrape_configs": [job],
    }


def free_port() -> int:
    """A loopback port that nobody uses now, from below the range of which anybody's next connection may get it."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as listener:
            try:
                listener.bind((HOST, port))
            except OSError:
                continue  # taken
            return port


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
