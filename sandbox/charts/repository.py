"""The chart repository over HTTP: /<repository>/index.yaml and /<repository>/<chart>-<version>.tgz.

One address serves all repositories, as a mirror in include/mesh.yaml is asked. Charts are packed at the first request.
"""

from __future__ import annotations

import functools
from pathlib import Path

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.charts import packing
from sandbox.charts.packing import Chart

CREATED = "2026-01-01T00:00:00Z"  # a fixed moment: the index, too, is the same everywhere


class Repository:
    """The ASGI application."""

    def __init__(self, home: Path = packing.HOME) -> None:
        self.home = home
        self.app = Starlette(
            routes=[
                Route("/", self._names),
                Route("/{repository}/index.yaml", self._index),
                Route("/{repository}/{filename}", self._archive),
            ]
        )

    @functools.cached_property
    def charts(self) -> tuple[Chart, ...]:
        return tuple(packing.charts(self.home))

    def index(self, repository: str) -> dict[str, object] | None:
        """index.yaml of a repository as data; None for one that is not there."""
        entries: dict[str, list[object]] = {}
        for chart in self.charts:
            if chart.repository == repository:
                entries.setdefault(chart.name, []).append(
                    {**chart.metadata, "created": CREATED, "digest": chart.digest, "urls": [chart.filename]}
                )
        return {"apiVersion": "v1", "entries": entries, "generated": CREATED} if entries else None

    async def _names(self, _: Request) -> Response:
        return PlainTextResponse("".join(f"{name}\n" for name in sorted({chart.repository for chart in self.charts})))

    async def _index(self, request: Request) -> Response:
        index = self.index(request.path_params["repository"])
        if index is None:
            return PlainTextResponse("no such repository\n", 404)
        return Response(yaml.safe_dump(index), media_type="application/x-yaml")

    async def _archive(self, request: Request) -> Response:
        wanted = request.path_params["repository"], request.path_params["filename"]
        for chart in self.charts:
            if (chart.repository, chart.filename) == wanted:
                return Response(chart.archive, media_type="application/gzip")
        return PlainTextResponse("no such chart\n", 404)
