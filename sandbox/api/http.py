"""HTTP in front of the verbs: an ASGI application.

Each request runs: who is it (`access`), a fault on request (`before`), what is it about (`routes`), the verb, the
answer. Errors become Status objects here and nowhere else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from sandbox.api import discovery, endpoints, openapi, replies, routes
from sandbox.api.access import Access
from sandbox.api.errors import ApiError, PlainNotFound, internal
from sandbox.api.replies import Reply, Request

if TYPE_CHECKING:
    from sandbox.api.server import Server

log = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Before = Callable[[routes.RequestInfo], Awaitable[None]]
Control = Callable[[Request], Awaitable[Reply]]

HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
CONTROL = "/_sandbox/"


class Reset(Exception):
    """A fault: drop the connection without an answer."""


class Application:
    """The ASGI application. `before` may delay, refuse (ApiError) or drop (Reset) a request; `control` serves
    /_sandbox/…; `requests` counts by (verb, resource)."""

    def __init__(self, server: "Server", access: Access) -> None:
        self.server, self.access = server, access
        self.before: Before | None = None
        self.control: Control | None = None
        self.requests: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await _request(scope, receive)
        try:
            reply = await self._answer(request)
        except Reset:
            _abort(scope)
            return
        if reply.stream is None:
            await _send_whole(send, reply)
        else:
            await _send_stream(receive, send, reply, scope)

    async def _answer(self, request: Request) -> Reply:
        try:
            return await self._dispatch(request)
        except ApiError as error:
            return replies.error_reply(error)
        except PlainNotFound:
            return replies.plain_not_found()
        except (Reset, ConnectionError):
            raise Reset from None
        except Exception as error:  # the outermost frame: a bug must answer 500, not end the connection
            log.exception("%s %s failed", request.method, request.path)
            return replies.error_reply(internal(f"{type(error).__name__}: {error}"))

    async def _dispatch(self, request: Request) -> Reply:
        if request.path in HEALTH and "authorization" not in request.headers:
            return replies.text_reply("ok")
        user = self.access.authenticate(request.headers.get("authorization", ""))
        request.user, request.groups = user.name, user.groups
        if request.path.startswith(CONTROL) and self.control is not None:
            if user.rules is not None:
                raise ApiError(403, "Forbidden", "the control API is the administrator's")
            return await self.control(request)
        route = routes.parse(request.path)
        verb = routes.verb(request.method, route, watch=endpoints.is_watch(request))
        info = routes.RequestInfo(
            verb=verb,
            group=route.group if route else "",
            resource=(route.plural or "") if route else "",
            subresource=(route.subresource or "") if route else "",
            namespace=(route.namespace or "") if route else "",
            name=(route.name or "") if route else "",
            path=request.path,
            user=user.name,
        )
        self.requests[verb, info.resource] += 1
        if self.before is not None:
            await self.before(info)
        self.access.authorize(user, info)
        if route is None or route.plural is None:
            return self._document(request, route)
        return await endpoints.handle(self.server, self.access, request, route, verb)

    def _document(self, request: Request, route: routes.Route | None) -> Reply:
        """Answer what is not about objects: health, version, discovery, OpenAPI."""
        path = request.path.rstrip("/") or "/"
        if path in HEALTH or path.rpartition("/")[0] in HEALTH:
            return replies.text_reply("ok")
        if path.startswith("/openapi/"):
            return openapi.answer(self.server, request)
        return discovery.answer(self.server, request, route)


async def _request(scope: Scope, receive: Receive) -> Request:
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    raw_query = scope.get("query_string", b"").decode("latin-1")
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=replies.query_of(raw_query),
        headers=headers,
        body=b"".join(chunks),
        raw_query=raw_query,
    )


def _start(reply: Reply, length: int | None) -> dict[str, Any]:
    headers = [(b"content-type", reply.content_type.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    headers += [(name.encode(), value.encode("utf-8")) for name, value in reply.headers]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send_whole(send: Send, reply: Reply) -> None:
    await send(_start(reply, len(reply.body)))
    await send({"type": "http.response.body", "body": reply.body})


async def _send_stream(receive: Receive, send: Send, reply: Reply, scope: Scope) -> None:
    """Send chunks as they come, until the stream or the client ends (the latter ends the stream)."""
    assert reply.stream is not None
    gone = asyncio.ensure_future(_disconnected(receive, reply.stop))
    try:
        await send(_start(reply, None))
        async for chunk in reply.stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except Reset:
        _abort(scope)
    finally:
        gone.cancel()


async def _disconnected(receive: Receive, stop: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stop()


def _abort(scope: Scope) -> None:
    """Drop the connection: the client sees a reset."""
    transport = scope.get("sandbox.transport")
    if transport is not None:
        transport.abort()
