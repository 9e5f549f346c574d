"""Discovery: which groups, versions and resources there are, in both shapes that clients ask for, and /version."""

import platform
from typing import TYPE_CHECKING, Any

from sandbox.api import replies
from sandbox.api.errors import PlainNotFound, no_such_resource
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource, Subresource
from sandbox.api.routes import Route

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]

VERSION: Obj = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-04-22T00:00:00Z",
    "goVersion": "go1.26.0",
    "compiler": "gc",
    "platform": f"linux/{'arm64' if platform.machine() == 'aarch64' else 'amd64'}",
}


def answer(server: "Server", request: Request, route: Route | None) -> Reply:
    """Answer a path that is no resource. Raises PlainNotFound, or 404 for a version a built-in group lacks."""
    path = request.path.rstrip("/")
    if path == "":
        return replies.json_reply({"paths": _paths(server)})
    if path == "/version":
        return replies.json_reply(VERSION)
    if path in ("/api", "/apis"):
        return _groups(server, request, core=path == "/api")
    parts = path.strip("/").split("/")
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in _group_names(server):
        return replies.json_reply({"kind": "APIGroup", "apiVersion": "v1", **_group(server, parts[1])})
    if route is not None:
        if route.version in server.catalog.versions(route.group):
            return replies.json_reply(_resource_list(server, route.group, route.version))
        if route.group in server.catalog.builtin_groups:
            raise no_such_resource()
    raise PlainNotFound


def _group_names(server: "Server") -> list[str]:
    return list(dict.fromkeys(row.group for row in server.catalog.rows() if row.group))


def _paths(server: "Server") -> list[str]:
    found = ["/api", "/api/v1", "/apis"]
    for group in _group_names(server):
        found.append(f"/apis/{group}")
        found += [f"/apis/{group}/{version}" for version in server.catalog.versions(group)]
    return [*found, "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]


def _groups(server: "Server", request: Request, *, core: bool) -> Reply:
    version = _aggregated_version(request.accept)
    if version:
        reply = replies.json_reply(_aggregated(server, version, core=core))
        reply.content_type = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return reply
    if core:
        address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.headers.get("host", "")}
        found = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}
        return replies.json_reply(found)
    groups = [_group(server, name) for name in _group_names(server)]
    return replies.json_reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


def _aggregated_version(accept: str) -> str:
    """Return v2 or v2beta1 when aggregated discovery is asked for before plain JSON, else ''."""
    for option in accept.split(","):
        words = [word.strip() for word in option.split(";")]
        if words[0] != "application/json":
            continue
        if "g=apidiscovery.k8s.io" in words and "as=APIGroupDiscoveryList" in words:
            return next((word[2:] for word in words if word in ("v=v2", "v=v2beta1")), "")
        return ""
    return ""


def _group(server: "Server", name: str) -> Obj:
    versions = [{"groupVersion": f"{name}/{v}", "version": v} for v in server.catalog.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _rows(server: "Server", group: str, version: str) -> list[Resource]:
    return [row for row in server.catalog.rows() if (row.group, row.version) == (group, version)]


def _resource_list(server: "Server", group: str, version: str) -> Obj:
    listed: list[Obj] = []
    for row in sorted(_rows(server, group, version), key=lambda row: row.plural):
        listed.append(_resource(row))
        listed += [_subresource(row, sub) for sub in row.subresources.values()]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _resource(row: Resource) -> Obj:
    found: Obj = {
        "name": row.plural,
        "singularName": row.singular_name,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        found["shortNames"] = list(row.short_names)
    if row.categories:
        found["categories"] = list(row.categories)
    return found


def _subresource(row: Resource, sub: Subresource) -> Obj:
    found: Obj = {
        "name": f"{row.plural}/{sub.name}",
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": sub.kind or row.kind,
        "verbs": list(sub.verbs),
    }
    if sub.group is not None:
        found |= {"group": sub.group, "version": sub.version}
    return found


def _aggregated(server: "Server", version: str, *, core: bool) -> Obj:
    items = []
    for name in [""] if core else _group_names(server):
        versions = [
            {
                "version": found,
                "resources": [_aggregated_resource(row) for row in _rows(server, name, found)],
                "freshness": "Current",
            }
            for found in server.catalog.versions(name)
        ]
        metadata: Obj = {"creationTimestamp": None} | ({"name": name} if name else {})
        items.append({"metadata": metadata, "versions": versions})
    api_version = f"apidiscovery.k8s.io/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}


def _aggregated_resource(row: Resource) -> Obj:
    found: Obj = {
        "resource": row.plural,
        "responseKind": {"group": row.group, "version": row.version, "kind": row.kind},
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular_name,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        found["shortNames"] = list(row.short_names)
    if row.categories:
        found["categories"] = list(row.categories)
    if row.subresources:
        found["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {
                    "group": row.group if sub.group is None else sub.group,
                    "version": sub.version or row.version,
                    "kind": sub.kind or row.kind,
                },
                "verbs": list(sub.verbs),
            }
            for sub in row.subresources.values()
        ]
    return found
