"""HTTPS on loopback: the ASGI application under uvicorn, inside the loop that everything shares."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.certificates import Pair

HOST = "127.0.0.1"
GRACE = 1  # real seconds that open watches get when the server stops


class _Protocol(HttpToolsProtocol):
    """Lets the application drop a connection: the transport is in the scope."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class _Server(uvicorn.Server):
    """Signals belong to the command line, not to the server; `listening` is set once it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """An ASGI application served on a loopback port; with a certificate by HTTPS."""

    def __init__(self, app: Any, *, certificate: Pair | None = None) -> None:
        self._app, self._certificate = app, certificate
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._certificate else 'http'}://{HOST}:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen, on a free port when `port` is 0. Raises OSError when the port is taken."""
        # The protocol is named, since asyncio turns Nagle's delay off only for sockets that say they are TCP.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        self._server = _Server(self._config())
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Stop listening; open answers get a moment to end."""
        if self._server is not None and self._task is not None:
            self._drop_idle(self._server)
            self._server.should_exit = True
            await self._task

    @staticmethod
    def _drop_idle(server: _Server) -> None:
        """Abort the connections that clients only keep open: over TLS, closing them politely waits for each client."""
        for connection in list(server.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                connection.transport.abort()

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE,
            backlog=512,
        )
        if self._certificate is None:
            return config
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            certificate.write_bytes(self._certificate.certificate)
            key.write_bytes(self._certificate.key)
            config.ssl_certfile, config.ssl_keyfile = str(certificate), str(key)
            config.load()
        return config
