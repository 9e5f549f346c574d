"""OpenAPI: the index and a document for each group and version, made from the same schemas that validate.

kubectl reads two things here: the schemas (for patches of `kubectl apply`) and whether the PATCH of a kind takes
`dryRun` and `fieldValidation`. Paths therefore list what can be written and with which query parameters, and no more.
"""

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sandbox.api import discovery, replies
from sandbox.api.errors import ApiError, PlainNotFound
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource
from sandbox.schema import builtin
from sandbox.schema.builtin import REF

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")
_METHODS = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_COLLECTION_METHODS = {"list": "get", "create": "post", "deletecollection": "delete"}


def answer(server: "Server", request: Request) -> Reply:
    """Answer a path below /openapi."""
    path = request.path.rstrip("/")
    if path == "/openapi/v2":
        if "proto-openapi" in request.accept and "application/json" not in request.accept:
            raise ApiError(406, "NotAcceptable", "only application/json is served here")
        info = {"title": "Kubernetes", "version": discovery.VERSION["gitVersion"]}
        return replies.json_reply({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})
    if path == "/openapi/v3":
        return replies.json_reply({"paths": _index(server)})
    group_version = path.removeprefix("/openapi/v3/")
    if group_version not in _group_versions(server):
        raise PlainNotFound
    return replies.json_reply(_document(server, *_group_versions(server)[group_version]))


def _group_versions(server: "Server") -> dict[str, tuple[str, str]]:
    pairs = dict.fromkeys((row.group, row.version) for row in server.catalog.rows())
    return {f"apis/{group}/{version}" if group else f"api/{version}": (group, version) for group, version in pairs}


def _index(server: "Server") -> Obj:
    stamp = f"{discovery.VERSION['gitVersion']}-{server.catalog.changes}"
    return {
        name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={_hash(stamp, name)}"} for name in _group_versions(server)
    }


def _hash(stamp: str, name: str) -> str:
    """Return what tells clients that a document changed (they cache by it)."""
    return hashlib.sha256(f"{stamp} {name}".encode()).hexdigest()[:32].upper()


def _document(server: "Server", group: str, version: str) -> Obj:
    rows = [row for row in server.catalog.rows() if (row.group, row.version) == (group, version)]
    paths: Obj = {}
    schemas: Obj = {}
    for row in rows:
        paths |= _paths(row)
        schemas |= _schemas(row)
    info = {"title": "Kubernetes", "version": discovery.VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _paths(row: Resource) -> Obj:
    base = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
    base += "/namespaces/{namespace}" if row.namespaced else ""
    gvk = {"group": row.group, "version": row.version, "kind": row.kind}
    found = {}
    for path, methods in ((f"{base}/{row.plural}", _COLLECTION_METHODS), (f"{base}/{row.plural}/{{name}}", _METHODS)):
        operations = {
            method: {
                "x-kubernetes-action": method if method != "get" else verb,
                "x-kubernetes-group-version-kind": gvk,
                "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _PARAMETERS],
                "responses": {"200": {"description": "OK"}},
            }
            for verb, method in methods.items()
            if verb in row.verbs
        }
        if operations:
            found[path] = operations
    return found


def _schemas(row: Resource) -> Obj:
    gvk = [{"group": row.group, "version": row.version, "kind": row.kind}]
    if row.custom_schema is not None:
        name = ".".join([*reversed(row.group.split(".")), row.version, row.kind])
        return {name: {**row.custom_schema, "x-kubernetes-group-version-kind": gvk}}
    text = _with_references(row.schema)
    if not text:
        return {}
    found: Obj = json.loads(text)
    found[row.schema]["x-kubernetes-group-version-kind"] = gvk
    return found


@lru_cache(maxsize=16)
def _with_references(name: str) -> str:
    """Return the definition and all that it refers to, as JSON with OpenAPI 3 references."""
    definitions = builtin.definitions()
    found: Obj = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in found or one not in definitions:
            continue
        text = json.dumps(definitions[one])
        found[one] = _single_types(json.loads(text.replace(REF, "#/components/schemas/")))
        waiting += [part.split('"', 1)[0] for part in text.split(REF)[1:]]
    return json.dumps(found) if found else ""


def _single_types(schema: Any) -> Any:
    """Return the schema with `type` as one word (the definitions also allow null; OpenAPI 3.0 has no such lists)."""
    if isinstance(schema, list):
        return [_single_types(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _single_types(inner) for key, inner in schema.items()}
    if isinstance(found.get("type"), list):
        found["type"] = next((word for word in found["type"] if word != "null"), "object")
    return found
