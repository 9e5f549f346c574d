"""Subresources that do something else than write their parent: logs, exec and its like, eviction, binding, tokens."""

import time
from typing import TYPE_CHECKING, Any

from sandbox.api import calls, deleting, endpoints, replies, reviews, writing
from sandbox.api.access import Access
from sandbox.api.errors import bad_request, not_found
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource
from sandbox.api.routes import Route
from sandbox.api.writing import Target

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
_NEED_A_CONTAINER = frozenset({"exec", "attach", "portforward"})
HANDLED = frozenset({"log", "eviction", "binding", "token"}) | _NEED_A_CONTAINER
_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
_TOKEN_SECONDS = 3600


async def answer(server: "Server", access: Access, request: Request, route: Route, resource: Resource) -> Reply:
    """Answer one of the subresources in HANDLED."""
    assert route.name is not None
    if server.find(resource, route.namespace, route.name) is None:
        raise not_found(resource, route.name)
    if route.subresource in _NEED_A_CONTAINER:
        raise bad_request(f"this is a sandbox: no container of {route.name} runs, so there is no {route.subresource}")
    match route.subresource:
        case "log":
            return replies.text_reply(f"This is a sandbox: no container of {route.name} runs, so there is no log.\n")
        case "eviction":
            return await _evict(server, request, route, resource)
        case "binding":
            return await _bind(server, request, route, resource)
    return _token(server, access, request, route)


async def _evict(server: "Server", request: Request, route: Route, resource: Resource) -> Reply:
    call = endpoints.call_of(request)
    body = request.parsed().value
    options, dry_run = calls.deletion(body.get("deleteOptions") or {}, request.query)
    call.dry_run = call.dry_run or dry_run
    await deleting.delete(server, call, Target(resource, route.namespace, str(route.name)), options)
    return replies.json_reply({**_SUCCESS, "code": 201}, 201)


async def _bind(server: "Server", request: Request, route: Route, resource: Resource) -> Reply:
    call = endpoints.call_of(request)
    node = (request.parsed().value.get("target") or {}).get("name")
    target = Target(resource, route.namespace, str(route.name), "binding")
    await writing.patch(server, call, target, "merge", {"spec": {"nodeName": node}})
    return replies.json_reply({**_SUCCESS, "code": 201}, 201)


def _token(server: "Server", access: Access, request: Request, route: Route) -> Reply:
    body = request.parsed().value
    spec = body.get("spec") or {}
    token = reviews.service_account_token(access, route.namespace or "", str(route.name))
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(server.clock.now().timestamp() + _TOKEN_SECONDS))
    found = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": route.name, "namespace": route.namespace},
        "spec": spec,
        "status": {"token": token, "expirationTimestamp": expires},
    }
    return replies.json_reply(found, 201)
