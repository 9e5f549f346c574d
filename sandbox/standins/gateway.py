"""A gateway: a proxy that runs as a workload of its own.

It answers `/healthz/ready` on 15021, and on the ports of its Service what its routes say: 404 where no
VirtualService leads, 503 where one leads to nobody, else a page that names the destination. Its address comes from the
load balancers of the sandbox (controllers/nodes.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.api.errors import ApiError
from sandbox.standins.base import Backend, StandIn, selects

Obj = dict[str, Any]

STATUS = 15021
MERGED = 15020  # metrics


class Gateway(StandIn):
    """One gateway Deployment."""

    image_names: ClassVar[tuple[str, ...]] = ("proxyv2", "auto")  # `auto` in the template, proxyv2 in its pods
    manager: ClassVar[str] = "istio-proxy"

    def apps(self) -> Mapping[int, Backend]:
        async def ready(_: Request) -> Response:
            return PlainTextResponse("")

        status = Starlette(routes=[Route("/healthz/ready", ready), Route("/stats/prometheus", ready)])
        routed = Starlette(routes=[Route("/{path:path}", self._route, methods=["GET", "POST", "HEAD", "PUT"])])
        return {STATUS: status, MERGED: status, 80: routed, 8080: routed, 443: routed, 8443: routed}

    async def _route(self, request: Request) -> Response:
        host = request.headers.get("host", "").partition(":")[0]
        destinations = await self.destinations(host, request.url.path)
        if not destinations:
            return PlainTextResponse("", 404)
        for namespace, service in destinations:
            if await self._ready(namespace, service):
                return JSONResponse({"hostname": f"{service}.{namespace}", "message": "an answer of the sandbox"})
        return PlainTextResponse("no healthy upstream", 503)

    async def destinations(self, host: str, path: str) -> list[tuple[str, str]]:
        """The Services (namespace, name) with a weight that the first matching route for this request leads to."""
        bound = await self._bound()
        for virtual in await self._all("VirtualService"):
            namespace, spec = virtual["metadata"]["namespace"], virtual.get("spec") or {}
            gateways = {name if "/" in name else f"{namespace}/{name}" for name in spec.get("gateways") or ()}
            if not gateways & bound or not any(_covers(pattern, host) for pattern in spec.get("hosts") or ()):
                continue
            for route in spec.get("http") or ():
                if _matches(route, path):
                    return list(_services(route, namespace))
        return []

    async def _bound(self) -> set[str]:
        """The Gateway objects (namespace/name) that select this workload."""
        labels = self.deployment["spec"]["template"]["metadata"].get("labels") or {}
        return {
            f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
            for obj in await self._all("Gateway")
            if selects(obj, labels)
        }

    async def _all(self, kind: str) -> list[Obj]:
        try:
            return await self.client.list("networking.istio.io/v1", kind)
        except ApiError:
            return []  # not installed

    async def _ready(self, namespace: str, service: str) -> bool:
        labels = {"kubernetes.io/service-name": service}
        for endpoints in await self.client.list("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=labels):
            if any((e.get("conditions") or {}).get("ready") for e in endpoints.get("endpoints") or ()):
                return True
        return False


def _matches(route: Obj, path: str) -> bool:
    """Whether a request without special headers takes this route."""
    for match in route.get("match") or [{}]:
        if any(match.get(key) for key in ("headers", "queryParams", "method", "sourceLabels")):
            continue
        uri = match.get("uri") or {}
        if path == uri.get("exact", path) and path.startswith(uri.get("prefix", "")):
            return True
    return False


def _services(route: Obj, namespace: str) -> Iterator[tuple[str, str]]:
    entries = route.get("route") or []
    for entry in entries:
        if len(entries) == 1 or entry.get("weight", 0) > 0:
            name, _, rest = entry["destination"]["host"].partition(".")
            yield rest.partition(".")[0] or namespace, name


def _covers(pattern: str, host: str) -> bool:
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))
