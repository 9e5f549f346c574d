"""The API server in this process, behind its HTTP but without a socket; time stands still."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.api.access import Access
from sandbox.api.definitions import Definitions
from sandbox.api.http import Application
from sandbox.api.server import Server
from sandbox.client import Client
from sandbox.clock import VirtualClock
from sandbox.network import Network

Obj = dict[str, Any]

PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
SPACE = "/api/v1/namespaces/shop"


class Api:
    """The server and a client of its HTTP."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.network = Network()
        self.server = Server(clock=self.clock, network=self.network)
        self.access = Access(self.clock)
        self.application = Application(self.server, self.access)
        self.definitions = Definitions(self.server)
        self.inside = Client(self.server, manager="inside")
        transport = httpx.ASGITransport(self.application)
        self.http = httpx.AsyncClient(
            transport=transport, base_url="http://api", headers=self.bearer(self.access.token)
        )

    @staticmethod
    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, body: Any = None, *, code: int = 200, **params: str) -> Obj:
        answer = await self.http.request(method, path, json=body, params=params)
        assert answer.status_code == code, answer.text
        found: Obj = answer.json()
        return found

    async def patch(self, path: str, body: Any, *, kind: str = "merge", code: int = 200, **params: str) -> Obj:
        headers = {"Content-Type": PATCHES[kind]}
        answer = await self.http.patch(path, content=json.dumps(body), headers=headers, params=params)
        assert answer.status_code == code, answer.text
        found: Obj = answer.json()
        return found

    async def config(self, name: str, *, code: int = 201, **data: str) -> Obj:
        """Create a ConfigMap in the namespace shop."""
        return await self.ask("POST", f"{SPACE}/configmaps", {"metadata": {"name": name}, "data": data}, code=code)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    await made.inside.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    yield made
    await made.http.aclose()
    await made.definitions.close()
    await made.network.close()


def definition(kind: str = "Widget", plural: str = "widgets", *, versions: tuple[str, ...] = ("v1",)) -> Obj:
    """A CustomResourceDefinition of the group example.test; the first version is stored."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.test"},
        "spec": {
            "group": "example.test",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {"name": v, "served": True, "storage": n == 0, "schema": schema} for n, v in enumerate(versions)
            ],
        },
    }
