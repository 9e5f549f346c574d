"""Flagger's stand-in: the operator runs while a Deployment of its image is available."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sandbox.metrics import CONTENT_TYPE, Metrics, Page
from sandbox.standins.base import StandIn
from sandbox.standins.flagger.operator import Operator
from sandbox.standins.flagger.options import Options
from sandbox.standins.flagger.recorder import VERSION, Recorder
from sandbox.topology import tag_of

Obj = dict[str, Any]

PORT = 8080


class Flagger(StandIn):
    """Progressive delivery."""

    image_names: ClassVar[tuple[str, ...]] = ("flagger",)
    manager: ClassVar[str] = "flagger"

    async def awake(self, deployment: Obj) -> None:
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        args = [*(container.get("command") or ()), *(container.get("args") or ())]
        options = Options.parse(args, own_namespace=self.namespace)
        metrics = self.around.traffic.metrics if self.around.traffic else Metrics()
        self._page = metrics.program(self.namespace, self.name)
        version = tag_of(container.get("image", "")) or VERSION
        recorder = Recorder(self._page, version=version, provider=options.mesh_provider)
        operator = Operator(self.client, self.clock, self.around.network, recorder, options)
        self.spawn(operator.run())

    async def asleep(self) -> None:
        self._page.clear()

    def apps(self) -> Mapping[int, Starlette]:
        return {PORT: _app(self._page)}


def _app(page: Page) -> Starlette:
    async def healthz(_: Request) -> PlainTextResponse:
        return PlainTextResponse("OK")

    async def metrics(_: Request) -> PlainTextResponse:
        return PlainTextResponse(page.text(), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics)])
