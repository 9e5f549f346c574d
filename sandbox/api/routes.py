"""What a request is about, read from its method and path.

    /api/v1/namespaces/NS/pods/NAME/log          group "", version v1, namespace NS, resource pods, name, subresource
    /apis/GROUP/VERSION/RESOURCE                 the same, cluster-wide
    /api/v1/namespaces/NS/services/NAME/proxy/…  `rest` is what follows

`namespaces` is both a prefix and a resource: /api/v1/namespaces/x is the object, /api/v1/namespaces/x/pods is in it.
"""

from typing import NamedTuple

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


class Route(NamedTuple):
    """A path under a group and version, taken apart. Empty parts are None; `rest` has no leading slash."""

    group: str
    version: str
    namespace: str | None = None
    plural: str | None = None
    name: str | None = None
    subresource: str | None = None
    rest: str | None = None


class RequestInfo(NamedTuple):
    """A request as faults and counters see it. `resource` is the plural; both are empty for other paths."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    user: str


def parse(path: str) -> Route | None:
    """Return the Route of a path under /api or /apis, or None for every other path."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = None
    if len(rest) >= 3 and rest[0] == "namespaces" and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest[:3], None, None, None)[:3]
    below = "/".join(rest[3:]) if len(rest) > 3 else None
    return Route(group, version, namespace, plural, name, subresource, below)


def verb(method: str, route: Route | None, *, watch: bool) -> str:
    """Return the verb of a request as access rules call it."""
    if route is None or route.plural is None:
        return method.lower()
    if method in ("GET", "HEAD"):
        return "watch" if watch else "get" if route.name else "list"
    if method == "DELETE":
        return "delete" if route.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())
