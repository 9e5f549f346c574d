"""Kiali's HTTP API, as far as gates need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshflow.clients import door as doors
from meshflow.clients.door import Door


class Kiali:
    """One Kiali behind a door; `root` is its `web_root`."""

    def __init__(self, door: Door, *, root: str = "/kiali") -> None:
        self._door, self._root = door, root.strip("/")

    async def status(self) -> dict[str, Any]:
        """`status` (version and state of Kiali) and `externalServices` as Kiali reports them."""
        answer = await self._json("api/status")
        return dict(answer)

    async def graph(self, namespaces: Sequence[str], *, duration: str = "60s") -> dict[str, Any]:
        """The workload graph of these namespaces over the last `duration`, mTLS shares included, as Kiali draws it."""
        params = {
            "namespaces": ",".join(namespaces),
            "duration": duration,
            "graphType": "workload",
            "appenders": "securityPolicy,deadNode",
            "injectServiceNodes": "false",
        }
        return dict(await self._json("api/namespaces/graph", params))

    async def mesh_tls(self) -> str:
        """Mesh-wide mTLS in Kiali's word, such as MTLS_ENABLED."""
        return str((await self._json("api/mesh/tls")).get("status", "UNKNOWN"))

    async def _json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return await doors.json_of(self._door, f"{self._root}/{path}" if self._root else path, params=params)
