"""PromQL's functions over ranges and vectors, as far as the small evaluator knows them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from sandbox.standins.prometheus.storage import Point

Ranged = Callable[[Sequence[Point], float, float], float | None]  # points, start and end of the window


class Element(NamedTuple):
    """One series of a result."""

    labels: dict[str, str]
    value: float
    time: float = 0.0  # of the sample it comes from, for timestamp()


def increase(points: Sequence[Point], start: float, end: float) -> float | None:
    """How much a counter grew in the window: resets are mended, and the ends are extrapolated as Prometheus does."""
    return _extrapolated(points, start, end, counter=True)


def rate(points: Sequence[Point], start: float, end: float) -> float | None:
    """`increase` per second."""
    grown = increase(points, start, end)
    return None if grown is None else grown / (end - start)


def delta(points: Sequence[Point], start: float, end: float) -> float | None:
    """The difference over the window of a gauge, extrapolated."""
    return _extrapolated(points, start, end, counter=False)


def irate(points: Sequence[Point], start: float, end: float) -> float | None:
    """The rate between the last two samples."""
    if len(points) < 2:
        return None
    before, last = points[-2:]
    grown = last.value if last.value < before.value else last.value - before.value
    return grown / (last.time - before.time)


def _extrapolated(points: Sequence[Point], start: float, end: float, *, counter: bool) -> float | None:
    if len(points) < 2:
        return None
    first, last = points[0], points[-1]
    grown = last.value - first.value
    if counter:
        grown += sum(a.value for a, b in pairwise(points) if b.value < a.value)
    spacing = (last.time - first.time) / (len(points) - 1)
    before, after = first.time - start, end - last.time
    if counter and grown > 0 and first.value >= 0:  # a counter cannot have been below zero
        before = min(before, (last.time - first.time) * first.value / grown)
    # Further away from an end than a sample's spacing (with some tolerance), the series is taken to begin or end there.
    before = before if before < spacing * 1.1 else spacing / 2
    after = after if after < spacing * 1.1 else spacing / 2
    return grown * (last.time - first.time + before + after) / (last.time - first.time)


def _over(reduce: Callable[[list[float]], float]) -> Ranged:
    def function(points: Sequence[Point], start: float, end: float) -> float | None:
        return reduce([point.value for point in points]) if points else None

    return function


RANGED: dict[str, Ranged] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "sum_over_time": _over(sum),
    "avg_over_time": _over(lambda values: sum(values) / len(values)),
    "min_over_time": _over(min),
    "max_over_time": _over(max),
    "count_over_time": _over(lambda values: float(len(values))),
    "last_over_time": _over(lambda values: values[-1]),
    "changes": _over(lambda values: float(sum(a != b for a, b in pairwise(values)))),
    "resets": _over(lambda values: float(sum(b < a for a, b in pairwise(values)))),
}

MAPPED: dict[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": lambda value, to=1.0: math.floor(value / to + 0.5) * to,
    "sqrt": math.sqrt,
    "clamp_min": lambda value, low: max(value, low),
    "clamp_max": lambda value, high: min(value, high),
    "clamp": lambda value, low, high: max(low, min(value, high)),
}


def histogram_quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    """The quantile of cumulative buckets (upper bound, count), linear inside a bucket; NaN without observations."""
    buckets = sorted(buckets)
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]) or buckets[-1][1] <= 0 or math.isnan(quantile):
        return math.nan
    if not 0 <= quantile <= 1:
        return math.inf if quantile > 1 else -math.inf
    rank = quantile * buckets[-1][1]
    index = next(i for i, (_, count) in enumerate(buckets) if count >= rank)
    if index == len(buckets) - 1:
        return buckets[-2][0]
    low, below = buckets[index - 1] if index else (0.0, 0.0)
    high, count = buckets[index]
    if index == 0 and high <= 0:
        return high
    return low + (high - low) * (rank - below) / (count - below) if count > below else high


def quantile_of(quantile: float, values: list[float]) -> float:
    """The quantile of plain values, linear between neighbours."""
    if not values or math.isnan(quantile):
        return math.nan
    if not 0 <= quantile <= 1:
        return math.inf if quantile > 1 else -math.inf
    values = sorted(values)
    rank = quantile * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (rank - low)


AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
}


def _divided(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
    "^": lambda a, b: a**b,
}

COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
