"""Grafana: health, datasources and dashboards as its chart provisions them, behind its login.

Users are what the Secret in the Deployment's environment says; they log in by Basic authentication or by the form
(cookie `grafana_session`). Datasources come from the ConfigMap that is mounted as provisioning, dashboards from the
ConfigMaps mounted below /var/lib/grafana/dashboards. A datasource is asked for real, through the sandbox's network.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar

import httpx
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.network import NetworkError
from sandbox.standins.base import Backend, StandIn, image_tag
from sandbox.standins.frames import frame

Obj = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

PORT = 3000
COOKIE = "grafana_session"
DATASOURCES, DASHBOARDS = "/etc/grafana/provisioning/datasources", "/var/lib/grafana/dashboards"


class Grafana(StandIn):
    """The program that shows metrics."""

    image_names: ClassVar[tuple[str, ...]] = ("grafana",)
    manager: ClassVar[str] = "grafana"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.sessions: set[str] = set()

    @property
    def pod(self) -> Obj:
        spec: Obj = self.deployment["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Obj:
        return next(c for c in self.pod["containers"] if "grafana" in c.get("image", ""))

    def apps(self) -> Mapping[int, Backend]:
        routes = [
            Route("/api/health", self._health),
            Route("/login", self._login, methods=["POST"]),
            Route("/api/search", self._private(self._search)),
            Route("/api/datasources", self._private(self._datasources)),
            Route("/api/datasources/uid/{uid}/health", self._private(self._datasource_health)),
            Route("/api/datasources/proxy/uid/{uid}/{path:path}", self._private(self._proxy), methods=["GET", "POST"]),
            Route("/api/dashboards/uid/{uid}", self._private(self._dashboard)),
            Route("/api/ds/query", self._private(self._query), methods=["POST"]),
        ]
        ports = {int(port["containerPort"]) for port in self.container.get("ports") or ()} | {PORT}
        return dict.fromkeys(ports, Starlette(routes=routes))

    # who asks

    async def users(self) -> dict[str, str]:
        """Name → password."""
        name = await self._variable("GF_SECURITY_ADMIN_USER")
        return {name or "admin": await self._variable("GF_SECURITY_ADMIN_PASSWORD") or "admin"}

    async def _variable(self, name: str) -> str | None:
        for entry in self.container.get("env") or ():
            if entry["name"] == name:
                return await self._value(entry)
        return None

    async def _value(self, entry: Obj) -> str | None:
        reference = (entry.get("valueFrom") or {}).get("secretKeyRef")
        if not reference:
            return entry.get("value")
        secret = await self.client.get("v1", "Secret", reference["name"], self.namespace)
        encoded = ((secret or {}).get("data") or {}).get(reference["key"])
        return base64.b64decode(encoded).decode() if encoded else None

    def _private(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.cookies.get(COOKIE) in self.sessions or await self._known(
                request.headers.get("authorization", "")
            ):
                return await handler(request)
            return JSONResponse({"message": "Unauthorized", "messageId": "auth.unauthorized", "statusCode": 401}, 401)

        return guarded

    async def _known(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and (await self.users()).get(user) == password

    async def _login(self, request: Request) -> Response:
        try:
            given = json.loads(await request.body())
            user, password = given["user"], given["password"]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"message": "bad login data"}, 400)
        if (await self.users()).get(user) != password:
            return JSONResponse({"message": "Invalid username or password"}, 401)
        session = secrets.token_hex(16)
        self.sessions.add(session)
        answer = JSONResponse({"message": "Logged in", "redirectUrl": "/"})
        answer.set_cookie(COOKIE, session, httponly=True, samesite="lax")
        return answer

    # what it knows

    async def datasources(self) -> list[Obj]:
        """The provisioned datasources as the API shows them."""
        found: list[Obj] = []
        for document in await self._mounted(DATASOURCES):
            for number, entry in enumerate((yaml.safe_load(document) or {}).get("datasources") or (), len(found) + 1):
                uid = entry.get("uid") or f"P{number:08X}"
                found.append({"id": number, "access": "proxy", **entry, "uid": uid, "readOnly": True})
        return found

    async def dashboards(self) -> list[Obj]:
        """The provisioned dashboards: their JSON."""
        return [json.loads(document) for document in await self._mounted(DASHBOARDS)]

    async def _mounted(self, below: str) -> list[str]:
        """The files that ConfigMaps put below a folder."""
        documents = []
        for name, key in self._mounts(below):
            configmap = await self.client.get("v1", "ConfigMap", name, self.namespace)
            data = (configmap or {}).get("data") or {}
            documents += [text for file, text in sorted(data.items()) if key in (None, file)]
        return documents

    def _mounts(self, below: str) -> Iterator[tuple[str, str | None]]:
        volumes = {v["name"]: v["configMap"]["name"] for v in self.pod.get("volumes") or () if v.get("configMap")}
        for mount in self.container.get("volumeMounts") or ():
            if mount["name"] in volumes and mount["mountPath"].startswith(below):
                yield volumes[mount["name"]], mount.get("subPath")

    async def _datasource(self, uid: str) -> Obj | None:
        return next((entry for entry in await self.datasources() if entry["uid"] == uid), None)

    async def _ask(self, datasource: Obj, path: str, params: Any = None) -> httpx.Response:
        url = f"{datasource['url'].rstrip('/')}/{path}"
        return await self.around.network.request("GET", url, namespace=self.namespace, params=params)

    # what it answers

    async def _health(self, _: Request) -> Response:
        version = image_tag(self.container["image"])
        return JSONResponse({"commit": "sandbox", "database": "ok", "version": version})

    async def _search(self, request: Request) -> Response:
        query = request.query_params.get("query", "").lower()
        found = [d for d in await self.dashboards() if query in d.get("title", "").lower()]
        return JSONResponse(
            [
                {
                    "id": number,
                    "uid": d.get("uid", ""),
                    "title": d.get("title", ""),
                    "url": f"/d/{d.get('uid', '')}",
                    "type": "dash-db",
                    "tags": d.get("tags", []),
                    "isStarred": False,
                }
                for number, d in enumerate(found, 1)
            ]
        )

    async def _dashboard(self, request: Request) -> Response:
        for dashboard in await self.dashboards():
            if dashboard.get("uid") == request.path_params["uid"]:
                return JSONResponse({"meta": {"provisioned": True}, "dashboard": dashboard})
        return JSONResponse({"message": "Dashboard not found"}, 404)

    async def _datasources(self, _: Request) -> Response:
        return JSONResponse(await self.datasources())

    async def _datasource_health(self, request: Request) -> Response:
        datasource = await self._datasource(request.path_params["uid"])
        if datasource is None:
            return JSONResponse({"message": "Data source not found"}, 404)
        try:
            answer = await self._ask(datasource, "api/v1/query", {"query": "1+1"})
        except NetworkError as error:
            return JSONResponse({"message": f"{error} - There was an error", "status": "ERROR"}, 400)
        if answer.status_code != 200:
            return JSONResponse({"message": f"{answer.status_code} - There was an error", "status": "ERROR"}, 400)
        return JSONResponse({"message": "Successfully queried the Prometheus API.", "status": "OK"})

    async def _proxy(self, request: Request) -> Response:
        datasource = await self._datasource(request.path_params["uid"])
        if datasource is None:
            return JSONResponse({"message": "Data source not found"}, 404)
        try:
            answer = await self._ask(datasource, request.path_params["path"], dict(request.query_params))
        except NetworkError as error:
            return JSONResponse({"message": str(error)}, 502)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    async def _query(self, request: Request) -> Response:
        results: Obj = {}
        for query in (await request.json()).get("queries") or ():
            results[query.get("refId", "A")] = await self._result(query)
        return JSONResponse({"results": results})

    async def _result(self, query: Obj) -> Obj:
        datasource = await self._datasource((query.get("datasource") or {}).get("uid", ""))
        if datasource is None:
            return {"status": 404, "error": "Data source not found", "frames": []}
        try:
            answer = (await self._ask(datasource, "api/v1/query", {"query": query.get("expr", "")})).json()
        except (NetworkError, ValueError) as error:
            return {"status": 502, "error": str(error), "frames": []}
        if answer.get("status") != "success":
            return {"status": 400, "error": answer.get("error", ""), "frames": []}
        return {"status": 200, "frames": [frame(series) for series in answer["data"]["result"]]}
