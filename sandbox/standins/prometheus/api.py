"""Prometheus' HTTP API over the small evaluator."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.metrics import Metrics
from sandbox.standins.flagger.spec import seconds
from sandbox.standins.prometheus import evaluate, scrape
from sandbox.standins.prometheus.evaluate import Evaluator
from sandbox.standins.prometheus.matching import BadQuery, Value
from sandbox.standins.prometheus.storage import NAME, Series, Storage

if TYPE_CHECKING:
    from sandbox.clock import Clock

Obj = dict[str, Any]
Answer = Callable[[Mapping[str, str], list[str]], Any]  # parameters and match[] → data

VERSION = "3.5.0+sandbox"
MOST_POINTS = 11_000  # of one range query


class Api:
    """Answers from memory."""

    def __init__(self, storage: Storage, metrics: Metrics, clock: Clock) -> None:
        self.storage, self.metrics, self.clock = storage, metrics, clock

    def app(self) -> Starlette:
        """The application that answers behind Prometheus' Service."""
        queries: dict[str, Answer] = {
            "query": self._query,
            "query_range": self._query_range,
            "series": self._series,
            "labels": self._labels,
            "targets": lambda *_: scrape.described(self.metrics, self.clock),
            "status/buildinfo": lambda *_: {"version": VERSION, "revision": "sandbox", "goVersion": "none"},
            "rules": lambda *_: {"groups": []},
            "alerts": lambda *_: {"alerts": []},
        }
        routes = [
            Route(f"/api/v1/{path}", _answered(answer), methods=["GET", "POST"]) for path, answer in queries.items()
        ]
        routes.append(Route("/api/v1/label/{name}/values", self._label_values))
        routes += [Route("/-/ready", _text("Prometheus Server is Ready.\n"))]
        routes += [Route("/-/healthy", _text("Prometheus Server is Healthy.\n"))]
        return Starlette(routes=routes)

    def _query(self, given: Mapping[str, str], _: list[str]) -> Obj:
        tree = evaluate.parse(given.get("query", ""))
        at = _time(given["time"]) if given.get("time") else self.clock.now().timestamp()
        if type(tree).__name__ == "MatrixSelector":
            return self._window(tree, at)
        value = Evaluator(self.storage, at).value(tree)
        if isinstance(value, str):
            return {"resultType": "string", "result": [at, value]}
        if isinstance(value, list):
            result = [{"metric": element.labels, "value": [at, number(element.value)]} for element in value]
            return {"resultType": "vector", "result": result}
        return {"resultType": "scalar", "result": [at, number(value)]}

    def _window(self, tree: Any, at: float) -> Obj:
        start = at - tree.range.total_seconds()
        found = [(s.labels, s.between(start, at)) for s in self._matching([str(tree.vector_selector)])]
        result = [
            {"metric": labels, "values": [[p.time, number(p.value)] for p in p_s]} for labels, p_s in found if p_s
        ]
        return {"resultType": "matrix", "result": result}

    def _query_range(self, given: Mapping[str, str], _: list[str]) -> Obj:
        tree = evaluate.parse(given.get("query", ""))
        start, end = _time(given.get("start", "")), _time(given.get("end", ""))
        step = _duration(given.get("step", ""))
        if step <= 0 or end < start:
            raise BadQuery('invalid parameter "step" or "end": the range is empty or the step not positive')
        if (end - start) / step > MOST_POINTS:
            raise BadQuery(f"exceeded maximum resolution of {MOST_POINTS} points per timeseries")
        lines: dict[tuple[tuple[str, str], ...], Obj] = {}
        for index in range(int((end - start) / step) + 1):
            at = start + index * step
            for labels, value in _elements(Evaluator(self.storage, at).value(tree)):
                line = lines.setdefault(tuple(sorted(labels.items())), {"metric": labels, "values": []})
                line["values"].append([at, number(value)])
        return {"resultType": "matrix", "result": list(lines.values())}

    def _series(self, _: Mapping[str, str], selectors: list[str]) -> list[dict[str, str]]:
        if not selectors:
            raise BadQuery("no match[] parameter provided")
        return [series.labels for series in self._matching(selectors)]

    def _labels(self, _: Mapping[str, str], selectors: list[str]) -> list[str]:
        return sorted({name for series in self._matching(selectors) for name in series.labels})

    async def _label_values(self, request: Request) -> Response:
        name = request.path_params["name"]
        selectors = request.query_params.getlist("match[]")
        values = {series.labels[name] for series in self._matching(selectors) if name in series.labels}
        return JSONResponse({"status": "success", "data": sorted(values)})

    def _matching(self, selectors: list[str]) -> list[Series]:
        trees = [evaluate.parse(text) for text in selectors or [f'{{{NAME}=~".+"}}']]
        if any(type(tree).__name__ != "VectorSelector" for tree in trees):
            raise BadQuery('invalid parameter "match[]": a selector is needed')
        return [s for tree in trees for s in self.storage.select(evaluate.matches(tree), tree.name)]


def number(value: float) -> str:
    """A sample's value as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _elements(value: Value) -> list[tuple[dict[str, str], float]]:
    if isinstance(value, str):
        raise BadQuery("a range query cannot return a string")
    return [(e.labels, e.value) for e in value] if isinstance(value, list) else [({}, float(value))]


def _answered(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.query_params
        selectors = given.getlist("match[]")
        parameters = dict(given)
        if request.method == "POST":
            form = await request.form()
            parameters |= {name: str(value) for name, value in form.items()}
            selectors += [str(value) for value in form.getlist("match[]")]
        try:
            return JSONResponse({"status": "success", "data": answer(parameters, selectors)})
        except (BadQuery, ValueError, re.error) as error:
            return JSONResponse({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)

    return endpoint


def _text(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return PlainTextResponse(text)

    return endpoint


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise BadQuery(f"cannot parse {text!r} to a valid timestamp") from None


def _duration(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return seconds(text)
    except ValueError:
        raise BadQuery(f"cannot parse {text!r} to a valid duration") from None
