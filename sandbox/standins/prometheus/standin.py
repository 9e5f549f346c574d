"""Prometheus' stand-in: a real one where there is a binary, else the small evaluator.

`$SANDBOX_PROMETHEUS` chooses: `auto` (the default), `builtin` (never a child process), or the path of a binary.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Mapping
from typing import Any, ClassVar

from sandbox.clock import VirtualClock
from sandbox.metrics import Metrics
from sandbox.standins.base import Backend, StandIn
from sandbox.standins.prometheus import scrape
from sandbox.standins.prometheus.api import Api
from sandbox.standins.prometheus.child import Child
from sandbox.standins.prometheus.scrape import Scraper
from sandbox.standins.prometheus.storage import Storage

Obj = dict[str, Any]

log = logging.getLogger(__name__)
CHOICE = "SANDBOX_PROMETHEUS"
PORTS = (9090, 80)  # where images of Prometheus listen, and some charts' Services lead to


class Prometheus(StandIn):
    """The metrics of the sandbox, by PromQL."""

    image_names: ClassVar[tuple[str, ...]] = ("prometheus",)
    manager: ClassVar[str] = "prometheus"

    async def awake(self, deployment: Obj) -> None:
        self._child: Child | None = None
        metrics = self.around.traffic.metrics if self.around.traffic else Metrics()
        binary = _binary()
        if binary and not isinstance(self.clock, VirtualClock):
            self._child = Child(binary, metrics, self.clock, self._refresh)
            try:
                await self._child.start()
                return
            except OSError as error:
                log.warning("%s; the built-in evaluator answers instead", error)
                await self._child.stop()
                self._child = None
        storage = Storage()
        scraper = Scraper(metrics, storage, self.clock)
        scraper.scrape()
        self._api = Api(storage, metrics, self.clock)
        self.spawn(self._scrape(scraper))

    async def asleep(self) -> None:
        if self._child:
            await self._child.stop()

    def apps(self) -> Mapping[int, Backend]:
        backend: Backend = self._child.app() if self._child else self._api.app()
        return dict.fromkeys(PORTS, backend)

    async def _scrape(self, scraper: Scraper) -> None:
        while True:
            pause = scrape.interval(self.clock)
            await (self.clock.sleep(pause) if isinstance(self.clock, VirtualClock) else asyncio.sleep(pause))
            await self._refresh()
            scraper.scrape()

    async def _refresh(self) -> None:
        if self.around.traffic:
            await self.around.traffic.catch_up(self.client)


def _binary() -> str | None:
    """The binary to run; None for the built-in evaluator."""
    choice = os.environ.get(CHOICE, "auto")
    if choice == "builtin":
        return None
    return shutil.which("prometheus" if choice == "auto" else choice)
