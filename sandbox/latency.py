"""The shape of response times: a median and a 99th percentile make a histogram.

The distribution is piecewise even: half of the requests between 0 and the median, then up to the bucket that holds the
99th percentile, and that bucket's share chosen such that Prometheus' `histogram_quantile(0.99, …)`, which interpolates
inside a bucket, returns the very number that was set. So "p99 = 900 ms" in a test is 900 ms in every query.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

QUANTILE = 0.99
# The bounds of Istio's request duration histogram, in milliseconds.
BOUNDS = (
    0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0,
    30000.0, 60000.0, 300000.0, 600000.0, 1800000.0, 3600000.0,
)  # fmt: skip


class Shape(NamedTuple):
    """`shares[i]` is the part of requests at or below `BOUNDS[i]`; `mean` in milliseconds."""

    shares: tuple[float, ...]
    mean: float


@lru_cache(maxsize=256)
def shape(p50: float, p99: float) -> Shape:
    """The cumulative histogram for these percentiles (milliseconds); `p50` is lowered where it does not fit."""
    p99 = min(max(p99, BOUNDS[0] / 2), BOUNDS[-1])
    high = next(bound for bound in BOUNDS if bound >= p99)
    low = next((bound for bound in reversed(BOUNDS) if bound < p99), 0.0)
    middle = min(p50, p99 / 2, low * 0.8 if low else p99 / 2)
    position = (p99 - low) / (high - low)
    below = max(0.0, (QUANTILE - position) / (1 - position)) if position < 1 else 0.0
    if position >= QUANTILE:  # the bucket's end is the percentile itself: all but its last hundredth lies under it
        return _sampled([(0.0, 0.0), (middle, 0.5), (p99, QUANTILE), (min(2 * p99, BOUNDS[-1]), 1.0)])
    points = [(0.0, 0.0), (middle, min(0.5, below / 2)), (low, below), (high, 1.0)]
    return _sampled([p for i, p in enumerate(points) if i == 0 or p[0] > points[i - 1][0]])


def _sampled(points: list[tuple[float, float]]) -> Shape:
    mean = sum((b[1] - a[1]) * (a[0] + b[0]) / 2 for a, b in pairwise(points))
    return Shape(tuple(_share(points, bound) for bound in BOUNDS), mean)


def _share(points: list[tuple[float, float]], at: float) -> float:
    for (x0, y0), (x1, y1) in pairwise(points):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return 1.0
