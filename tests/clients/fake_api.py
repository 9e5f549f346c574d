"""An API server that says what a test tells it to, over real HTTP: refusals, broken connections, watches that end.

It knows nothing of Kubernetes. Routes are answered from a script: each request of a path takes the next answer, the
last one is kept. What was asked is in `asked`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web
from kubernetes_asyncio.client import ApiClient, Configuration

from meshflow.clients.kube import Kube

Obj = dict[str, Any]
Answer = web.StreamResponse | Callable[[web.Request], Awaitable[web.StreamResponse]]


class Asked(NamedTuple):
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class FakeApi:
    """`script[(method, path)]` is what to answer, in turn."""

    def __init__(self) -> None:
        self.script: dict[tuple[str, str], list[Answer]] = {}
        self.asked: list[Asked] = []
        self.slept: list[float] = []
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer these requests with these, one after the other, the last one for ever."""
        self.script[(method, path)] = list(answers)

    async def sleep(self, seconds: float) -> None:
        """Instead of waiting: noted, and the others get their turn."""
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(
            Asked(
                request.method,
                request.path,
                dict(request.query),
                {name.lower(): value for name, value in request.headers.items()},
                json.loads(body) if body and body[:1] in b"{[" else body,
            )
        )
        answers = self.script.get((request.method, request.path))
        if not answers:
            return web.Response(status=404, text="404 page not found\n")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        assert not isinstance(answer, web.StreamResponse)
        return await answer(request)


def ok(body: Obj) -> web.Response:
    """200 with JSON."""
    return web.json_response(body)


def status(
    code: int, reason: str, message: str = "", *, headers: dict[str, str] | None = None, **details: Any
) -> web.Response:
    """A Status object of the API server."""
    body = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message or reason,
        "details": details,
    }
    return web.json_response(body, status=code, headers=headers)


async def reset(request: web.Request) -> web.StreamResponse:
    """Break the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def watch(
    *events: Obj, hang: asyncio.Event | None = None, broken: bool = False
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A watch with these events; then it ends, or hangs until `hang` is set, or breaks in the middle of an event."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for event in events:
            await response.write(json.dumps(event).encode() + b"\n")
        if hang is not None:
            await hang.wait()
        if broken:
            await response.write(b'{"type": "ADD')
            assert request.transport is not None
            request.transport.abort()
        return response

    return answer


def listing(*items: Obj, version: str = "1", token: str = "") -> web.Response:
    """A list of objects, without their kinds as built-in lists have them."""
    return ok({"metadata": {"resourceVersion": version, "continue": token}, "items": list(items)})


@asynccontextmanager
async def running() -> AsyncIterator[tuple[FakeApi, Kube]]:
    """The server on a free port, and a client of it whose waits take no time."""
    api = FakeApi()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    configuration = Configuration(host=api.url)
    configuration.api_key["BearerToken"] = "Bearer s3cret"
    try:
        async with ApiClient(configuration) as client:
            yield api, Kube(client, cluster="fake", sleep=api.sleep, jitter=lambda: 0.5)
    finally:
        await runner.cleanup()
