"""Kiali: its status, the graph of the mesh, and what it says of mutual TLS, behind its login.

Its configuration is the ConfigMap that the chart makes. With the strategy `token` a client logs in by the form
(`/api/authenticate`, cookie afterwards) with the token of a ServiceAccount, or sends it as a Bearer; with `anonymous`
everybody may look. The graph is drawn from the last step of the traffic model (kiali_graph.py).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from sandbox.api.errors import ApiError
from sandbox.standins import istiod_validation, kiali_graph
from sandbox.standins.base import Backend, StandIn, image_name, image_tag

Obj = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

PORT = 20001
COOKIE = "kiali-token-Kubernetes"
SESSION = timedelta(hours=24)


class Kiali(StandIn):
    """The program that draws the mesh."""

    image_names: ClassVar[tuple[str, ...]] = ("kiali",)
    manager: ClassVar[str] = "kiali"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.config: Obj = {}
        self.sessions: set[str] = set()

    async def awake(self, deployment: Obj) -> None:
        for volume in deployment["spec"]["template"]["spec"].get("volumes") or ():
            name = (volume.get("configMap") or {}).get("name")
            found = await self.client.get("v1", "ConfigMap", name, self.namespace) if name else None
            if found and "config.yaml" in (found.get("data") or {}):
                self.config = yaml.safe_load(found["data"]["config.yaml"]) or {}

    def apps(self) -> Mapping[int, Backend]:
        server = self.config.get("server") or {}
        root = (server.get("web_root") or "/kiali").rstrip("/")
        below = Starlette(routes=self._routes())
        app = Starlette(routes=[Route("/", self._home(root)), Mount(root, below)]) if root else below
        return {int(server.get("port") or PORT): app}

    def _routes(self) -> list[Route]:
        private = {
            "/api/istio/status": self._components,
            "/api/namespaces": self._namespaces,
            "/api/namespaces/graph": self._graph,
            "/api/mesh/tls": self._mesh_tls,
            "/api/namespaces/{namespace}/tls": self._namespace_tls,
            "/api/istio/validations": self._validations,
        }
        return [
            Route("/healthz", self._healthz),
            Route("/api/status", self._status),
            Route("/api/auth/info", self._auth_info),
            Route("/api/authenticate", self._authenticate, methods=["POST"]),
            *(Route(path, self._private(handler)) for path, handler in private.items()),
        ]

    def _home(self, root: str) -> Handler:
        async def home(_: Request) -> Response:
            return RedirectResponse(f"{root}/")

        return home

    # who asks

    @property
    def strategy(self) -> str:
        return str((self.config.get("auth") or {}).get("strategy") or "token")

    def _private(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
            known = self.strategy == "anonymous" or request.cookies.get(COOKIE) in self.sessions
            if known or (bearer and await self._valid(bearer)):
                return await handler(request)
            return JSONResponse({"error": "Unauthorized", "detail": "no valid session"}, 401)

        return guarded

    async def _authenticate(self, request: Request) -> Response:
        token = parse_qs((await request.body()).decode()).get("token", [""])[0]
        if self.strategy == "anonymous":
            return JSONResponse({"error": "authentication is anonymous"}, 400)
        if not token or not await self._valid(token):
            return JSONResponse({"error": "Token is not valid or is expired"}, 401)
        session = secrets.token_hex(16)
        self.sessions.add(session)
        expires = (self.clock.now() + SESSION).isoformat().replace("+00:00", "Z")
        answer = JSONResponse({"username": "kiali", "expiresOn": expires})
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict")
        return answer

    async def _valid(self, token: str) -> bool:
        """Whether the token is one that the cluster gave a ServiceAccount in a Secret."""
        found = await self.client.list("v1", "Secret")
        accounts = [secret for secret in found if secret.get("type") == "kubernetes.io/service-account-token"]
        tokens = [base64.b64decode((secret.get("data") or {}).get("token") or "") for secret in accounts]
        return any(secrets.compare_digest(known, token.encode()) for known in tokens)

    # what it answers

    async def _healthz(self, _: Request) -> Response:
        return PlainTextResponse("")

    async def _status(self, _: Request) -> Response:
        images = (c.get("image", "") for c in self.deployment["spec"]["template"]["spec"]["containers"])
        version = next((image_tag(image) for image in images if image_name(image) == "kiali"), "")
        state = {
            "Kiali state": "running",
            "Kiali version": version,
            "Kiali commit hash": "sandbox",
            "Kiali container version": version,
            "Mesh name": "Istio",
            "Mesh version": ", ".join(sorted(await self._mesh_versions())) or "Unknown",
        }
        return JSONResponse({"status": state, "externalServices": await self._external(), "warningMessages": []})

    async def _external(self) -> list[Obj]:
        services = self.config.get("external_services") or {}
        found = [{"name": "Istio", "version": version} for version in sorted(await self._mesh_versions())]
        if url := (services.get("prometheus") or {}).get("url"):
            found.append({"name": "Prometheus", "url": url})
        if (grafana := services.get("grafana") or {}).get("enabled"):
            found.append({"name": "Grafana", "url": grafana.get("internal_url") or grafana.get("external_url", "")})
        return found

    async def _mesh_versions(self) -> set[str]:
        found = set()
        for deployment in await self.client.list("apps/v1", "Deployment", labels={"app": "istiod"}):
            for container in deployment["spec"]["template"]["spec"]["containers"]:
                if image_name(container.get("image", "")) == "pilot":
                    found.add(image_tag(container["image"]))
        return found

    async def _components(self, _: Request) -> Response:
        components = []
        for deployment in await self.client.list("apps/v1", "Deployment", labels={"app": "istiod"}):
            healthy = deployment.get("status", {}).get("availableReplicas", 0) > 0
            name, status = deployment["metadata"]["name"], "Healthy" if healthy else "Unhealthy"
            components.append({"cluster": "Kubernetes", "name": name, "status": status, "isCore": True})
        return JSONResponse(components)

    async def _auth_info(self, _: Request) -> Response:
        return JSONResponse({"strategy": self.strategy, "sessionInfo": {}})

    async def _namespaces(self, _: Request) -> Response:
        names = [namespace["metadata"]["name"] for namespace in await self.client.list("v1", "Namespace")]
        return JSONResponse([{"name": name, "cluster": "Kubernetes"} for name in names])

    async def _graph(self, request: Request) -> Response:
        names = [name for name in request.query_params.get("namespaces", "").split(",") if name]
        if not names:
            return JSONResponse({"error": "the parameter 'namespaces' is missing"}, 400)
        edges = self.around.traffic.edges if self.around.traffic else []
        elements = kiali_graph.elements(edges, set(names))
        kind = request.query_params.get("graphType", "workload")
        timestamp = int(self.clock.now().timestamp())
        return JSONResponse({"timestamp": timestamp, "duration": 60, "graphType": kind, "elements": elements})

    async def _mesh_tls(self, _: Request) -> Response:
        root = ((self.config.get("external_services") or {}).get("istio") or {}).get("root_namespace") or "istio-system"
        status = kiali_graph.tls(await self._istio("PeerAuthentication", root), await self._rules(root))
        return JSONResponse({"status": status, "autoMTLSEnabled": True, "minTLS": "N/A"})

    async def _namespace_tls(self, request: Request) -> Response:
        namespace = request.path_params["namespace"]
        status = kiali_graph.tls(await self._istio("PeerAuthentication", namespace), await self._rules(namespace))
        return JSONResponse({"namespace": namespace, "status": status, "autoMTLSEnabled": True, "minTLS": ""})

    async def _rules(self, namespace: str) -> list[Obj]:
        return await self._istio("DestinationRule", namespace)

    async def _validations(self, _: Request) -> Response:
        found = []
        kinds = sorted(istiod_validation.CHECKS)
        for namespace in await self.client.list("v1", "Namespace"):
            name = namespace["metadata"]["name"]
            objects = [obj for kind in kinds for obj in await self._istio(kind, name)]
            errors = sum(1 for obj in objects if istiod_validation.problems(obj))
            counts = {"errors": errors, "warnings": 0, "objectCount": len(objects)}
            found.append({"cluster": "Kubernetes", "namespace": name, **counts})
        return JSONResponse(found)

    async def _istio(self, kind: str, namespace: str) -> list[Obj]:
        group = "networking.istio.io/v1" if kind in NETWORKING else "security.istio.io/v1"
        try:
            return await self.client.list(group, kind, namespace)
        except ApiError:
            return []  # not installed


NETWORKING = frozenset({"DestinationRule", "Gateway", "ServiceEntry", "VirtualService"})
