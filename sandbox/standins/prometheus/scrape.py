"""What is scraped, and by whom.

`targets` says who exposes a page now. A real Prometheus finds them over HTTP (`/targets`, its HTTP service discovery)
and fetches each page under `/scrape/…`; without one, `Scraper` copies the pages into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.metrics import CONTENT_TYPE, Metrics, Page, Sample, Target
from sandbox.standins.prometheus.storage import Storage

if TYPE_CHECKING:
    from sandbox.clock import Clock

Obj = dict[str, Any]

INTERVAL = 1.0  # real seconds between two scrapes
SELF = Target("prometheus", "localhost:9090")


class Scraper:
    """Copies pages into `storage`."""

    def __init__(self, metrics: Metrics, storage: Storage, clock: Clock) -> None:
        self.metrics, self.storage, self.clock = metrics, storage, clock
        self.last: dict[Target, tuple[float, bool]] = {}  # time and success

    def scrape(self) -> None:
        """One round over all targets. A page that is not up fails, and leaves `up` 0 alone."""
        now = self.clock.now().timestamp()
        pages = {SELF: Page(), **self.metrics.pages}
        for gone in self.last.keys() - pages.keys():
            self.storage.forget(gone.all_labels(), now)
            del self.last[gone]
        for target, page in pages.items():
            self.storage.ingest(target.all_labels(), _scraped(page), now)
            self.last[target] = now, page.up


def _scraped(page: Page) -> Iterator[Sample]:
    yield Sample("up", (), float(page.up))
    if page.up:
        yield from page.samples()


def app(metrics: Metrics) -> Starlette:
    """The pages over HTTP, for a real Prometheus."""

    async def targets(request: Request) -> Response:
        return JSONResponse([_discovered(target, request.url.netloc) for target in metrics.pages])

    async def page(request: Request) -> Response:
        found = metrics.at(request.url.path)
        if found is None or not found.up:
            return PlainTextResponse("connection refused", 503)
        return PlainTextResponse(found.text(), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/targets", targets), Route("/scrape/{path:path}", page)])


def _discovered(target: Target, address: str) -> Obj:
    return {"targets": [address], "labels": {**target.all_labels(), "__metrics_path__": target.path}}
