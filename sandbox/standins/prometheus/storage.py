"""Samples of the last minutes, in memory.

A series that its target no longer exposes gets one stale mark (NaN), so that it vanishes from instant queries at
once instead of living on for the look-back time; rates skip the mark.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from sandbox.metrics import Labels, Sample, sorted_labels

NAME = "__name__"
RETENTION = 330.0  # seconds: windows of five minutes are asked at most
LOOK_BACK = 300.0  # seconds that the last sample of a series counts, unless a stale mark follows it
_TRIM_AT = 1.25  # trim a series when it holds this many times the retention
_SWEEP = 60.0  # seconds between two looks for series that ended long ago

Matcher = Callable[[Mapping[str, str]], bool]


class Point(NamedTuple):
    time: float
    value: float


class Series:
    """One time series; times grow."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.times, self.values = array("d"), array("d")

    def append(self, time: float, value: float) -> None:
        if self.times and time <= self.times[-1]:
            return  # the clock was set back: as the real one, refuse samples that are out of order
        self.times.append(time)
        self.values.append(value)
        if time - self.times[0] > RETENTION * _TRIM_AT:
            keep = bisect_right(self.times, time - RETENTION)
            self.times, self.values = self.times[keep:], self.values[keep:]

    def last(self, at: float) -> Point | None:
        """The sample that counts at a moment."""
        index = bisect_right(self.times, at) - 1
        if index < 0 or self.times[index] <= at - LOOK_BACK or math.isnan(self.values[index]):
            return None
        return Point(self.times[index], self.values[index])

    def between(self, after: float, until: float) -> list[Point]:
        """The samples in (after, until], without stale marks."""
        first, end = bisect_right(self.times, after), bisect_right(self.times, until)
        points = zip(self.times[first:end], self.values[first:end], strict=True)
        return [Point(time, value) for time, value in points if not math.isnan(value)]


class Storage:
    """All series, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[tuple[Labels, Labels], Series]] = {}
        self._live: dict[Labels, set[tuple[str, Labels]]] = {}
        self._swept = 0.0

    def ingest(self, target: Mapping[str, str], samples: Iterable[Sample], time: float) -> None:
        """One scrape. `target` labels are added; a sample's label of the same name is kept as `exported_…`."""
        source = sorted_labels(target)
        seen = set()
        for name, labels, value in samples:
            seen.add((name, labels))
            self._series(name, labels, source).append(time, value)
        for name, labels in self._live.get(source, set()) - seen:
            self._series(name, labels, source).append(time, math.nan)
        self._live[source] = seen
        if time - self._swept > _SWEEP:
            self._swept = time
            self._sweep(time - RETENTION)

    def forget(self, target: Mapping[str, str], time: float) -> None:
        """The target is gone: its series are stale from now on."""
        self.ingest(target, (), time)
        del self._live[sorted_labels(target)]

    def select(self, matches: Matcher, name: str | None = None) -> Iterator[Series]:
        """The series whose labels (with `__name__`) match; `name` narrows the search where it is known."""
        groups = self._by_name.values() if name is None else [self._by_name.get(name, {})]
        for group in groups:
            for series in group.values():
                if matches(series.labels):
                    yield series

    def _sweep(self, oldest: float) -> None:
        for name, group in list(self._by_name.items()):
            kept = {key: series for key, series in group.items() if series.times[-1] >= oldest}
            if len(kept) < len(group):
                self._by_name[name] = kept

    def _series(self, name: str, labels: Labels, source: Labels) -> Series:
        group = self._by_name.setdefault(name, {})
        series = group.get((source, labels))
        if series is None:
            series = group[source, labels] = Series({NAME: name, **joined(dict(labels), dict(source))})
        return series


def joined(own: dict[str, str], source: dict[str, str]) -> dict[str, str]:
    """A sample's labels with its target's; on a clash the target's wins and the sample's becomes `exported_…`."""
    clashes = own.keys() & source.keys()
    kept = {name: value for name, value in own.items() if name not in clashes}
    return {**kept, **{f"exported_{name}": own[name] for name in clashes}, **source}
