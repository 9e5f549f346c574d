"""The verbs over HTTP: from a Request about a resource to its Reply."""

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from sandbox.api import (
    calls,
    deleting,
    listing,
    pods,
    proxy,
    replies,
    reviews,
    scale,
    shapes,
    watching,
    writing,
)
from sandbox.api.access import Access
from sandbox.api.calls import Call
from sandbox.api.deleting import Deleted
from sandbox.api.errors import (
    ApiError,
    PlainNotFound,
    bad_request,
    expired,
    method_not_allowed,
    no_such_resource,
    not_found,
    unsupported_media_type,
)
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource
from sandbox.api.routes import Route
from sandbox.api.writing import Target, Written
from sandbox.store.store import Expired

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]

_ANSWERED_AS_OBJECT = frozenset(
    {"Pod", "PodTemplate", "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota", "ServiceAccount", "Service"}
)
_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}


def is_watch(request: Request) -> bool:
    return request.method == "GET" and calls.boolean(request.query, "watch")


async def handle(server: "Server", access: Access, request: Request, route: Route, verb: str) -> Reply:
    """Answer a request about a resource."""
    resource = _resource(server, route)
    if route.subresource is not None and route.subresource not in resource.subresources:
        raise no_such_resource()
    if route.subresource == "proxy":
        return await proxy.answer(server, request, route)
    if resource.verbs == ("create",):
        return reviews.answer(access, request, resource, verb)
    if route.subresource is not None:
        return await _subresource(server, access, request, route, resource, verb)
    if verb not in resource.verbs and verb in ("list", "watch", "deletecollection", "create", "get"):
        raise method_not_allowed()
    match verb:
        case "get" if route.name:
            return _get(server, request, resource, route)
        case "list":
            return await _list(server, request, resource, route)
        case "watch":
            return _watch(server, request, resource, route)
        case "create" if route.name is None:
            return await _create(server, request, resource, route)
        case "update" if route.name:
            return await _update(server, request, resource, route)
        case "patch" if route.name:
            return await _patch(server, request, resource, route)
        case "delete":
            return await _delete(server, request, resource, route)
        case "deletecollection":
            return await _delete_collection(server, request, resource, route)
    raise method_not_allowed()


def _resource(server: "Server", route: Route) -> Resource:
    assert route.plural is not None
    resource = server.catalog.find(route.group, route.version, route.plural)
    if resource is None:
        if route.group in server.catalog.builtin_groups:
            raise no_such_resource()
        raise PlainNotFound
    if route.namespace is not None and not resource.namespaced:
        raise no_such_resource()
    return resource


def call_of(request: Request) -> Call:
    """Return the Call of a write request."""
    patch = request.method == "PATCH"
    return calls.write_call(
        request.query,
        user=request.user,
        groups=request.groups,
        agent=_agent(request),
        kind=_OPTIONS[request.method],
        apply=patch and replies.PATCH_TYPES.get(request.content_type) == "apply",
        patch=patch,
    )


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


def target_of(route: Route, resource: Resource) -> Target:
    assert route.name is not None
    return Target(resource, route.namespace, route.name, route.subresource)


async def _subresource(
    server: "Server", access: Access, request: Request, route: Route, resource: Resource, verb: str
) -> Reply:
    assert route.subresource is not None
    if verb not in resource.subresources[route.subresource].verbs:
        raise method_not_allowed()
    if route.subresource in pods.HANDLED:
        return await pods.answer(server, access, request, route, resource)
    if route.subresource == "scale":
        return await scale.answer(server, request, route, resource)
    match verb:
        case "get":
            return _get(server, request, resource, route)
        case "update":
            return await _update(server, request, resource, route)
        case _:
            return await _patch(server, request, resource, route)


def _get(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    assert route.name is not None
    record = server.find(resource, route.namespace, route.name)
    if record is None:
        raise not_found(resource, route.name)
    shape = shapes.wanted(request.accept)
    if shape is not None:
        return shape.single(server, request, resource, record)
    return replies.bytes_reply(listing.full(resource, record))


async def _list(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    found = await listing.page(server, resource, route.namespace, request.query)
    shape = shapes.wanted(request.accept)
    if shape is not None:
        return shape.listed(server, request, resource, found)
    return replies.bytes_reply(listing.encode(resource, found))


def _watch(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    query = dict(request.query)
    if route.name is not None:
        query["fieldSelector"] = f"metadata.name={route.name}"
    selection = listing.Selection(resource, route.namespace, query)
    options = watching.options(query)
    shape = shapes.wanted(request.accept)
    encoder = shape.watched(server, request, resource) if shape is not None else shapes.Plain(resource)
    try:
        watch = watching.Watch(server, resource, selection, options.version)
    except Expired:
        since = server.store.shelf(resource.storage).since
        error = expired(f"too old resource version: {options.version} ({since})")
        return Reply(stream=_single(encoder.error(error)))
    server.watches[watch] = (resource, route.namespace)
    return Reply(stream=_events(server, watch, options, encoder), stop=watch.end)


async def _single(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def _events(
    server: "Server", watch: watching.Watch, options: watching.Options, encoder: shapes.WatchEncoder
) -> AsyncIterator[bytes]:
    """Yield the lines of a watch: what is there, then each change, and bookmarks where they are wanted."""
    deadline = time.monotonic() + options.timeout
    try:
        first = [encoder.event(seen) for seen in watch.initial()]
        if options.initial_bookmark:
            first.append(encoder.event(watching.Seen(watching.BOOKMARK, None, watch.version, initial_end=True)))
        if first:
            yield b"".join(first)
        while (left := deadline - time.monotonic()) > 0:
            batch = await watch.batch(pause=min(left, watching.BOOKMARK_EVERY))
            if batch is None:
                return
            if batch:
                yield b"".join(encoder.event(seen) for seen in batch)
            elif options.bookmarks:
                yield encoder.event(watching.Seen(watching.BOOKMARK, None, watch.version))
    except ApiError as error:
        yield encoder.error(error)
    finally:
        watch.close()
        server.watches.pop(watch, None)


async def _create(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    if resource.namespaced and route.namespace is None:
        raise method_not_allowed()
    call = call_of(request)
    body = request.parsed()
    written = await writing.create(server, call, resource, route.namespace, body.value, duplicates=body.duplicates)
    return answer(server, request, resource, written, call)


async def _update(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    call = call_of(request)
    body = request.parsed()
    target = target_of(route, resource)
    written = await writing.update(server, call, target, body.value, duplicates=body.duplicates)
    return answer(server, request, resource, written, call)


async def _patch(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    kind = patch_type(request, resource)
    call = call_of(request)
    written = await patched(server, call, target_of(route, resource), kind, request.body)
    return answer(server, request, resource, written, call)


def patch_type(request: Request, resource: Resource) -> str:
    """Return merge, json, strategic or apply. Raises 415."""
    kind = replies.PATCH_TYPES.get(request.content_type)
    if kind is None or (kind == "strategic" and resource.custom):
        raise unsupported_media_type(replies.PATCH_NAMES)
    return kind


async def patched(server: "Server", call: Call, target: Target, kind: str, body: bytes) -> Written:
    """Carry a patch out that came as bytes."""
    if kind == "apply":
        applied = replies.parsed(body, yaml=True)
        return await writing.server_side_apply(server, call, target, applied.value)
    return await writing.patch(server, call, target, kind, replies.loose(body))


def answer(server: "Server", request: Request, resource: Resource, written: Written, call: Call) -> Reply:
    """Return what a write is answered with."""
    status = 201 if written.created else 200
    shape = shapes.wanted(request.accept)
    if shape is not None and written.record is not None:
        return shape.single(server, request, resource, written.record)
    if written.record is not None:
        return replies.bytes_reply(listing.full(resource, written.record), status, warnings=call.warnings)
    return replies.json_reply(written.obj, status, warnings=call.warnings)


async def _delete(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    options, dry_run = calls.deletion(_delete_body(request), request.query)
    call = Call(request.user, request.groups, calls.product(_agent(request)), dry_run)
    deleted = await deleting.delete(server, call, target_of(route, resource), options)
    if not deleted.gone or (not resource.custom and not resource.group and resource.kind in _ANSWERED_AS_OBJECT):
        return replies.json_reply(deleted.obj, warnings=call.warnings)
    return replies.json_reply(_success(resource, deleted), warnings=call.warnings)


def _delete_body(request: Request) -> Obj:
    if not request.body:
        return {}
    value: Obj = request.parsed().value
    return value


def _success(resource: Resource, deleted: Deleted) -> Obj:
    metadata = deleted.obj["metadata"]
    details = {"name": metadata["name"], "group": resource.group, "kind": resource.plural, "uid": metadata["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


async def _delete_collection(server: "Server", request: Request, resource: Resource, route: Route) -> Reply:
    options, dry_run = calls.deletion(_delete_body(request), request.query)
    call = Call(request.user, request.groups, calls.product(_agent(request)), dry_run)
    found = await listing.page(server, resource, route.namespace, request.query)
    for record in found.records:
        target = Target(resource, record.namespace, record.name)
        try:
            await deleting.delete(server, call, target, options)
        except ApiError as error:
            if error.code != 404:
                raise
    return replies.bytes_reply(listing.encode(resource, found), warnings=call.warnings)


__all__ = ["answer", "bad_request", "call_of", "handle", "is_watch", "patch_type", "patched", "target_of"]
