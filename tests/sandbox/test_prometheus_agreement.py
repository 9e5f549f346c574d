"""The small evaluator against a real Prometheus: the same samples, the same questions, the same answers."""

import asyncio
import math
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.metrics import Sample, line, sorted_labels
from sandbox.standins.prometheus import evaluate
from sandbox.standins.prometheus.child import free_port
from sandbox.standins.prometheus.evaluate import Evaluator
from sandbox.standins.prometheus.storage import Storage
from tests.conftest import PATIENCE

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
pytestmark = pytest.mark.skipif(not (PROMETHEUS and PROMTOOL), reason="no prometheus and promtool on the PATH")

BEGIN, SECONDS = 1_700_000_000, 120
END = BEGIN + SECONDS - 0.3
CODES = ("200", "404", "500")
QUERIES = [
    'sum(rate(requests_total{code!~"5.*"}[30s])) / sum(rate(requests_total[30s])) * 100',
    "histogram_quantile(0.99, sum by (le) (rate(took_bucket[1m])))",
    "histogram_quantile(0.5, sum by (le, app) (rate(took_bucket[20s])))",
    "sum by (code) (increase(requests_total[5m]))",
    "sum without (code) (irate(requests_total[10s]))",
    "increase(restarts_total[1m])",
    "rate(restarts_total[7s])",
    "delta(weight[30s])",
    "avg_over_time(weight[1m]) - min_over_time(weight[1m])",
    "changes(restarts_total[1m]) + resets(restarts_total[1m])",
    "time() - max by (app) (timestamp(requests_total))",
    "requests_total offset 30s",
    "weight > 50 or vector(-1)",
    "weight > bool 50",
    "requests_total / on(app) group_left() weight",
    "requests_total and on(app) (weight < 1000)",
    'requests_total unless ignoring(code) weight{app="b"}',
    "topk(2, requests_total)",
    "quantile(0.4, requests_total)",
    "count(requests_total) + scalar(sum(weight)) % 7 ^ 2",
    'absent(nothing{app="x", other=~"y"})',
    "clamp_max(weight, 40) + clamp_min(weight, 30) + round(weight / 7)",
    'label_replace(weight, "name", "app-$1", "app", "(.*)")',
    "-weight * 2",
    '{__name__=~"w.*", app!=""}',
    "sort_desc(requests_total)",
    "1 / 0",
]


def samples(second: int) -> Iterator[Sample]:
    """Counters that grow unevenly, one that starts again, a gauge and a histogram."""
    for app_number, app in enumerate("ab"):
        labels = {"app": app}
        for index, code in enumerate(CODES):
            value = (app_number + 1) * second * (10 - 4 * index) + second % 7
            yield Sample("requests_total", sorted_labels({**labels, "code": code}), float(value))
        yield Sample("restarts_total", sorted_labels(labels), float((second * 3) % 100))
        yield Sample("weight", sorted_labels(labels), 40.0 + app_number * 20 + second % 11)
        for bound, share in (("100", 0.3), ("200", 0.9), ("500", 0.995), ("+Inf", 1.0)):
            yield Sample("took_bucket", sorted_labels({**labels, "le": bound}), share * 20 * second)


@pytest.fixture(scope="module")
def storage() -> Storage:
    made = Storage()
    for second in range(SECONDS):
        made.ingest({}, samples(second), BEGIN + second)
    return made


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that has these samples."""
    folder = tmp_path_factory.mktemp("prometheus")
    series: dict[str, list[str]] = {}
    for second in range(SECONDS):
        for sample in samples(second):
            series.setdefault(sample.name, []).append(f"{line(*sample)} {BEGIN + second}")
    text = [row for name, rows in sorted(series.items()) for row in (f"# TYPE {name} unknown", *rows)]
    (folder / "samples").write_text("\n".join([*text, "# EOF", ""]))
    (folder / "config").write_text("{}")
    create = [str(PROMTOOL), "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples"), str(folder / "data")]
    subprocess.run(create, check=True, capture_output=True)
    port = free_port()
    flags = {
        "config.file": folder / "config",
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "error",
    }
    process = subprocess.Popen([str(PROMETHEUS), *(f"--{flag}={value}" for flag, value in flags.items())])
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


async def really(url: str, query: str) -> Any:
    """The real answer, once the server is there."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(PATIENCE):
        while True:
            try:
                found = await client.get(f"{url}/api/v1/query", params={"query": query, "time": str(END)})
                if found.status_code != 503:
                    return found.json()["data"]
            except httpx.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("query", QUERIES)
async def test_both_say_the_same(storage: Storage, prometheus: str, query: str) -> None:
    """Values and labels agree, series by series."""
    expected = await really(prometheus, query)
    value = Evaluator(storage, END).value(evaluate.parse(query))
    if expected["resultType"] == "scalar":
        assert value == pytest.approx(float(expected["result"][1]))
        return
    assert isinstance(value, list)
    found = {tuple(sorted(element.labels.items())): element.value for element in value}
    wanted = {tuple(sorted(r["metric"].items())): float(r["value"][1]) for r in expected["result"]}
    assert found.keys() == wanted.keys()
    for key, number in wanted.items():
        assert found[key] == pytest.approx(number, rel=1e-9, nan_ok=True) or math.isclose(found[key], number)
