"""The control API below /_sandbox/: what the command line speaks, and tests too.

Each part of the sandbox brings a table of routes (`control_routes(cluster)`); this file joins them and answers the
general ones. Bodies and answers are JSON; a wrong request is 400 with {"error": "a sentence"}.
"""

import resource
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api import replies
from sandbox.api.access import Rule, User
from sandbox.api.errors import ApiError
from sandbox.api.replies import Reply, Request

if TYPE_CHECKING:
    from sandbox.cluster import Cluster

Obj = dict[str, Any]
Handler = Callable[[Request], Awaitable[Any]]

PREFIX = "/_sandbox/"


class Route(NamedTuple):
    """One entry of the control API. `handler` gets the request and returns what is answered as JSON.

    A handler refuses by `Refused`. `path` is what follows /_sandbox/.
    """

    method: str
    path: str
    handler: Handler
    summary: str


class Refused(Exception):
    """The request cannot be carried out; the text is for its sender. `status` is the HTTP code."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """Joins the routes of all parts."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._handlers = {(route.method, route.path): route.handler for route in self.routes}

    async def __call__(self, request: Request) -> Reply:
        """Answer a request below /_sandbox/."""
        path = request.path.removeprefix(PREFIX).strip("/")
        handler = self._handlers.get((request.method, path))
        if handler is None:
            known = sorted({route.path for route in self.routes})
            return replies.json_reply({"error": f"no {request.method} {path} here; there are: {', '.join(known)}"}, 404)
        try:
            return replies.json_reply(await handler(request))
        except Refused as error:
            return replies.json_reply({"error": str(error)}, error.status)
        except ApiError as error:
            return replies.json_reply({"error": error.message}, error.code)


def body_of(request: Request) -> Obj:
    """Return the JSON object of a request ({} without a body). Raises Refused."""
    if not request.body:
        return {}
    found = replies.loose(request.body)
    if not isinstance(found, dict):
        raise Refused("the body must be a JSON object")
    return found


def text(body: Obj, key: str) -> str:
    """Return a required text of a body. Raises Refused."""
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise Refused(f"{key!r} must be a text")
    return value


def control_routes(cluster: "Cluster") -> list[Route]:
    """The general part: what is going on, and tokens with fewer rights."""
    began = time.monotonic()

    async def status(request: Request) -> Obj:
        store, requests = cluster.server.store, cluster.application.requests
        return {
            "server": cluster.url,
            "version": store.version,
            "writes": store.writes,
            "writers": dict(sorted(store.writers.items())),
            "requests": {f"{verb} {what}".strip(): count for (verb, what), count in sorted(requests.items())},
            "objects": {
                f"{r.plural}.{r.group}".rstrip("."): n
                for r in cluster.server.catalog.stored()
                if (n := _count(cluster, r.storage))
            },
            "watches": len(cluster.server.watches),
            "speed": cluster.clock.speed,
            "uptime": round(time.monotonic() - began, 3),
            "memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            **cluster.facts,
        }

    async def help_(request: Request) -> Obj:
        return {f"{route.method} {PREFIX}{route.path}": route.summary for route in cluster.control.routes}

    async def issue(request: Request) -> Obj:
        return {"token": cluster.access.issue(_user(body_of(request), cluster))}

    async def revoke(request: Request) -> Obj:
        return {"revoked": cluster.access.revoke(text(body_of(request), "token"))}

    async def speed(request: Request) -> Obj:
        value = body_of(request).get("speed")
        if not isinstance(value, (int, float)) or value <= 0:
            raise Refused("'speed' must be a number above 0")
        cluster.clock.speed = float(value)
        return {"speed": cluster.clock.speed}

    async def stop(request: Request) -> Obj:
        cluster.stop()
        return {"stopping": True}

    return [
        Route("GET", "", help_, "this table"),
        Route("GET", "status", status, "addresses, counters of writes and requests, objects by kind, memory"),
        Route("POST", "tokens", issue, "a token: {user, expires_in, rules: [{verbs, resources, namespace}]}"),
        Route("DELETE", "tokens", revoke, "forget a token: {token}"),
        Route("POST", "speed", speed, "how much faster than real time delays pass: {speed}"),
        Route("POST", "stop", stop, "end the sandbox"),
    ]


def _count(cluster: "Cluster", storage: tuple[str, str]) -> int:
    return len(cluster.server.store.shelf(storage).records)


def _user(body: Obj, cluster: "Cluster") -> User:
    rules, seconds = body.get("rules"), body.get("expires_in")
    if seconds is not None and not isinstance(seconds, (int, float)):
        raise Refused("'expires_in' must be a number of seconds")
    expires = cluster.clock.now() + timedelta(seconds=seconds) if seconds is not None else None
    parsed = tuple(_rule(rule) for rule in rules) if rules is not None else None
    return User(text(body, "user"), ("system:authenticated",), parsed, expires)


def _rule(rule: Any) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("verbs"), list):
        raise Refused("each of 'rules' must be {verbs: [...], resources: [...], namespace: ...}")
    return Rule(tuple(rule["verbs"]), tuple(rule.get("resources") or ("*",)), rule.get("namespace"))
