"""The small PromQL evaluator: what Flagger and Meshflow ask, answered as Prometheus would."""

import json
import math
from typing import Any

import httpx
import pytest

from sandbox.clock import VirtualClock
from sandbox.metrics import Metrics, Page, Sample, Target, sorted_labels
from sandbox.standins.flagger import analysis
from sandbox.standins.prometheus import evaluate
from sandbox.standins.prometheus.api import Api
from sandbox.standins.prometheus.evaluate import Evaluator
from sandbox.standins.prometheus.matching import BadQuery, Unsupported
from sandbox.standins.prometheus.scrape import Scraper
from sandbox.standins.prometheus.storage import Storage

END = 1000.0
TARGET = {"job": "pods", "instance": "10.0.0.1:15020"}


def sample(name: str, value: float, /, **labels: str) -> Sample:
    return Sample(name, sorted_labels(labels), value)


@pytest.fixture
def storage() -> Storage:
    """A minute of samples, one a second: two counters, a gauge and a histogram."""
    made = Storage()
    for second in range(61):
        made.ingest(
            TARGET,
            [
                sample("requests_total", 9.0 * second, code="200", app="a"),
                sample("requests_total", 1.0 * second, code="500", app="a"),
                sample("weight", 20, app="a"),
                sample("weight", 80, app="b"),
                sample("took_bucket", 50.0 * second, le="100"),
                sample("took_bucket", 100.0 * second, le="200"),
                sample("took_bucket", 100.0 * second, le="+Inf"),
                sample("restarted_total", float(second % 30)),
            ],
            END - 60 + second,
        )
    return made


def ask(storage: Storage, query: str, at: float = END) -> Any:
    value = Evaluator(storage, at).value(evaluate.parse(query))
    if not isinstance(value, list):
        return value
    return {",".join(f"{k}={v}" for k, v in sorted(e.labels.items()) if k not in TARGET): e.value for e in value}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("-(2 ^ 3)", -8.0),
        ("1 > bool 2", 0.0),
        ("time()", END),
        ('requests_total{code="200"}', {"__name__=requests_total,app=a,code=200": 540.0}),
        ('weight{app=~"a|c"}', {"__name__=weight,app=a": 20.0}),
        ('weight{app!~"a"}', {"__name__=weight,app=b": 80.0}),
        ('weight{app!="a",missing=""}', {"__name__=weight,app=b": 80.0}),
        ("sum(rate(requests_total[30s]))", {"": 10.0}),
        ("sum by (code) (rate(requests_total[30s]))", {"code=200": 9.0, "code=500": 1.0}),
        ("sum without (code, job, instance) (rate(requests_total[30s]))", {"app=a": 10.0}),
        ('sum(rate(requests_total{code!~"5.*"}[30s])) / sum(rate(requests_total[30s])) * 100', {"": 90.0}),
        ("irate(requests_total{code='500'}[10s])", {"app=a,code=500": 1.0}),
        ("increase(requests_total{code='500'}[30s])", {"app=a,code=500": 30.0}),
        ("histogram_quantile(0.75, sum by (le) (rate(took_bucket[30s])))", {"": 150.0}),
        ("max(weight)", {"": 80.0}),
        ("min(weight) + avg(weight) + count(weight)", {"": 72.0}),
        ("weight > 50", {"__name__=weight,app=b": 80.0}),
        ("weight > bool 50", {"app=a": 0.0, "app=b": 1.0}),
        ("weight / on(app) weight", {"app=a": 1.0, "app=b": 1.0}),
        ("weight unless on(app) requests_total", {"__name__=weight,app=b": 80.0}),
        ("weight and on(app) requests_total", {"__name__=weight,app=a": 20.0}),
        ("topk(1, weight)", {"__name__=weight,app=b": 80.0}),
        ("absent(nothing{app='x'})", {"app=x": 1.0}),
        ("absent(weight)", {}),
        ("timestamp(weight{app='a'})", {"app=a": END}),
        ("weight{app='a'} offset 30s", {"__name__=weight,app=a": 20.0}),
        ("vector(1)", {"": 1.0}),
        ("max_over_time(restarted_total[1m])", {"": 29.0}),
        ("up or vector(0)", {"": 0.0}),
    ],
)
def test_queries_are_answered(storage: Storage, query: str, expected: Any) -> None:
    """Selectors, rates, aggregations, arithmetic, comparisons, sets and quantiles."""
    assert ask(storage, query) == pytest.approx(expected)


def test_a_counter_that_starts_again_has_no_negative_rate(storage: Storage) -> None:
    """A restart of the program is mended, as in Prometheus."""
    assert ask(storage, "sum(increase(restarted_total[50s]))")[""] == pytest.approx(50, rel=0.07)


def test_no_data_is_an_empty_answer_or_nan(storage: Storage) -> None:
    """Nothing found is empty; a quantile of nothing is NaN."""
    assert ask(storage, "sum(rate(nothing[1m]))") == {}
    assert math.isnan(
        ask(storage, "histogram_quantile(0.99, sum by (le) (rate(took_bucket[30s] offset 1h))) or vector(1/0 - 1/0)")[
            ""
        ]
    )


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("weight[5m:1m]", "SubqueryExpr"),
        ("weight @ 5", "@ modifier"),
        ("deriv(weight[1m])", "deriv()"),
        ("stddev(weight)", "stddev"),
    ],
)
def test_what_it_does_not_know_is_named(storage: Storage, query: str, named: str) -> None:
    """No silent wrong answers: the construct is in the message."""
    with pytest.raises(Unsupported, match=named.replace("(", r"\(").replace(")", r"\)")):
        ask(storage, query)


def test_text_that_is_no_promql_is_refused(storage: Storage) -> None:
    """The parser's own message comes through."""
    with pytest.raises(BadQuery, match="invalid parameter"):
        ask(storage, "sum(")


@pytest.mark.parametrize("query", [query for own in analysis.BUILTIN.values() for query in own.values()])
def test_flaggers_queries_are_understood(storage: Storage, query: str) -> None:
    """The built-in queries of every provider parse and evaluate."""
    text = query.replace("{{ namespace }}", "a").replace("{{ target }}", "b").replace("{{ interval }}", "30s")
    assert ask(storage, text) == {}


class Served:
    """The HTTP API over a page that a test fills."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.metrics = Metrics()
        self.target = Target("kubernetes-pods", "10.0.0.1:15020", "weather", "web-1")
        storage = Storage()
        self.scraper = Scraper(self.metrics, storage, self.clock)
        self.app = Api(storage, self.metrics, self.clock).app()

    @property
    def page(self) -> Page:
        return self.metrics.page(self.target)

    async def scrape(self, times: int) -> None:
        for _ in range(times):
            self.page.add("requests_total", (), 10.0)
            await self.clock.advance(1)
            self.scraper.scrape()

    async def get(self, path: str, **params: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://p") as client:
            return await client.get(path, params=params)

    async def value(self, query: str) -> Any:
        return (await self.get("/api/v1/query", query=query)).json()["data"]["result"]


async def test_the_api_speaks_prometheus_json() -> None:
    """Vectors carry labels and [time, text]; errors are 400 with their type."""
    served = Served()
    await served.scrape(10)
    (found,) = await served.value("rate(requests_total[5s])")
    assert found["metric"] == {
        "job": "kubernetes-pods",
        "instance": "10.0.0.1:15020",
        "namespace": "weather",
        "pod": "web-1",
    }
    assert float(found["value"][1]) == pytest.approx(10)
    refused = await served.get("/api/v1/query", query="deriv(requests_total[1m])")
    assert (refused.status_code, refused.json()["errorType"]) == (400, "bad_data")
    assert "deriv" in refused.json()["error"]
    assert (await served.get("/-/ready")).text.startswith("Prometheus Server is Ready")


async def test_a_range_query_has_one_point_a_step() -> None:
    """query_range evaluates at start, start + step, … end."""
    served = Served()
    await served.scrape(10)
    end = served.clock.now().timestamp()
    given = {"query": "sum(requests_total)", "start": str(end - 4), "end": str(end), "step": "2s"}
    data = (await served.get("/api/v1/query_range", **given)).json()["data"]
    assert [value for _, value in data["result"][0]["values"]] == ["60", "80", "100"]


async def test_targets_tell_who_is_up() -> None:
    """A page that is not up fails its scrape: up is 0, the target down, and its series are gone."""
    served = Served()
    await served.scrape(2)
    served.page.up = False
    await served.scrape(1)
    targets = (await served.get("/api/v1/targets", state="active")).json()["data"]["activeTargets"]
    assert {t["labels"]["job"]: t["health"] for t in targets} == {"prometheus": "up", "kubernetes-pods": "down"}
    assert [v["value"][1] for v in await served.value('up{pod="web-1"}')] == ["0"]
    assert await served.value("requests_total") == []


async def test_series_of_a_target_that_is_gone_are_stale_at_once() -> None:
    """A pod that is gone is not counted for five more minutes."""
    served = Served()
    await served.scrape(3)
    served.metrics.forget(served.target)
    await served.clock.advance(1)
    served.scraper.scrape()
    assert await served.value("requests_total") == []
    assert json.loads((await served.get("/api/v1/series", **{"match[]": "up"})).text)["status"] == "success"


def test_series_that_ended_long_ago_are_given_up() -> None:
    """Pods come and go; memory does not grow with them."""
    storage = Storage()
    for second in range(0, 1000, 10):
        storage.ingest({"pod": f"web-{second}"}, [sample("up", 1.0)], float(second))
    assert len(list(storage.select(lambda labels: True))) < 50
