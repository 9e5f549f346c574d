"""The sandbox's registry and chart repository behind a login: by Basic, or by the token service of a registry."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.serving import Listener

USER, PASSWORD, TOKEN = "robot", "pa$s:wörd", "t0ken"
BASIC = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


@dataclass
class Guarded:
    """An ASGI application that lets nobody through to `app` without the login above."""

    app: Any
    scheme: Literal["basic", "bearer"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        who = request.headers.get("authorization")
        if request.url.path == "/token":
            await _token(who)(scope, receive, send)
        elif who == (BASIC if self.scheme == "basic" else f"Bearer {TOKEN}"):
            await self.app(scope, receive, send)
        else:
            await self._challenge(request)(scope, receive, send)

    def _challenge(self, request: Request) -> Response:
        realm = f'Bearer realm="{request.base_url}token",service="sandbox",scope="repository:x:pull"'
        headers = {"WWW-Authenticate": realm if self.scheme == "bearer" else 'Basic realm="sandbox"'}
        return JSONResponse({"errors": [{"code": "UNAUTHORIZED"}]}, 401, headers=headers)


def _token(who: str | None) -> Response:
    return JSONResponse({"token": TOKEN}) if who == BASIC else JSONResponse({"details": "no"}, 401)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The application on loopback, as its URL, in a thread of its own: tasks run a loop themselves."""
    listener, loop = Listener(app), asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(listener.start(), loop).result()
        yield listener.url
    finally:
        asyncio.run_coroutine_threadsafe(listener.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
