"""What is scraped, and how.

`Scraper` copies the pages into memory for the small evaluator. A real Prometheus gets all of them on one page
(`app`), each series with the labels of its target, `up` included, as in a federation: its own service discovery
notices a new pod only after five to ten seconds, which at the sandbox's speeds is minutes too late.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.metrics import CONTENT_TYPE, Labels, Metrics, Page, Sample, Target, line, sorted_labels
from sandbox.standins.prometheus.storage import Storage, joined

if TYPE_CHECKING:
    from sandbox.clock import Clock

Obj = dict[str, Any]
Refresh = Callable[[], Awaitable[None]]

LONGEST, SHORTEST = 1.0, 0.4  # real seconds between two scrapes
SELF = Target("prometheus", "localhost:9090")
ALL = "/metrics"


def interval(clock: Clock) -> float:
    """Real seconds between two scrapes: shorter in a fast sandbox, so that each tick of Flagger sees two samples."""
    return max(SHORTEST, min(LONGEST, clock.scaled(4.0)))


class Scraper:
    """Copies pages into `storage`."""

    def __init__(self, metrics: Metrics, storage: Storage, clock: Clock) -> None:
        self.metrics, self.storage, self.clock = metrics, storage, clock
        self._known: set[Target] = set()

    def scrape(self) -> None:
        """One round over all targets. A page that is not up fails, and leaves `up` 0 alone."""
        now = self.clock.now().timestamp()
        pages = pages_of(self.metrics)
        for gone in self._known - pages.keys():
            self.storage.forget(gone.all_labels(), now)
        for target, page in pages.items():
            self.storage.ingest(target.all_labels(), _scraped(page), now)
        self._known = set(pages)


def app(metrics: Metrics, refresh: Refresh) -> Starlette:
    """All pages on one, for a real Prometheus that honours their labels; `refresh` brings them up to date."""
    known: dict[tuple[Target, Labels], Labels] = {}

    async def everything(_: Request) -> Response:
        await refresh()
        lines = []
        for target, page in metrics.pages.items():
            for sample in _scraped(page):
                key = (target, sample.labels)
                if key not in known:
                    known[key] = sorted_labels(joined(dict(sample.labels), target.all_labels()))
                lines.append(line(sample.name, known[key], sample.value))
        for key in [key for key in known if key[0] not in metrics.pages]:
            del known[key]
        return PlainTextResponse("\n".join([*lines, ""]), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route(ALL, everything)])


def pages_of(metrics: Metrics) -> dict[Target, Page]:
    """The pages by target, Prometheus' own among them."""
    return {SELF: Page(), **metrics.pages}


def described(metrics: Metrics, clock: Clock) -> Obj:
    """What /api/v1/targets answers."""
    now = clock.now().timestamp()
    active = [_target(target, now, up=page.up, interval=interval(clock)) for target, page in pages_of(metrics).items()]
    return {"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}}


def _scraped(page: Page) -> Iterator[Sample]:
    yield Sample("up", (), float(page.up))
    if page.up:
        yield from page.samples()


def _target(target: Target, time: float, *, up: bool, interval: float) -> Obj:
    labels = target.all_labels()
    url = f"http://{target.instance}/stats/prometheus"
    return {
        "discoveredLabels": {
            "__address__": target.instance,
            "__metrics_path__": "/stats/prometheus",
            "job": target.job,
        },
        "labels": labels,
        "scrapePool": target.job,
        "scrapeUrl": url,
        "globalUrl": url,
        "lastError": "" if up else f'Get "{url}": dial tcp {target.instance}: connect: connection refused',
        "lastScrape": datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z"),
        "lastScrapeDuration": 0.001,
        "health": "up" if up else "down",
        "scrapeInterval": f"{interval * 1000:g}ms",
        "scrapeTimeout": f"{interval * 1000:g}ms",
    }
