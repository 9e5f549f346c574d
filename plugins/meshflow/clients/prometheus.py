"""Prometheus' HTTP API, as far as gates need it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from meshflow.clients import door as doors
from meshflow.clients.door import Door, Question
from meshflow.errors import Rejected


class Sample(NamedTuple):
    """One series at one time. `value` may be NaN or infinite; `time` is in seconds since the epoch."""

    labels: Mapping[str, str]
    value: float
    time: float


class Target(NamedTuple):
    """What Prometheus scrapes. `health` is up, down or unknown; `error` is empty when the last scrape went well."""

    job: str
    url: str
    health: str
    error: str
    labels: Mapping[str, str]


class Prometheus:
    """One Prometheus behind a door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def query(self, promql: str) -> list[Sample]:
        """An instant query; the empty list when there is no data. A scalar is one sample without labels.

        Raises Rejected for a query that Prometheus refuses, with its words.
        """
        data = await self._data("api/v1/query", {"query": promql})
        if data["resultType"] == "scalar":
            return [_sample({}, data["result"])]
        return [_sample(series["metric"], series["value"]) for series in data["result"]]

    async def targets(self) -> list[Target]:
        """The active targets."""
        data = await self._data("api/v1/targets", {"state": "active"})
        return [
            Target(
                job=target.get("labels", {}).get("job", ""),
                url=target.get("scrapeUrl", ""),
                health=target.get("health", "unknown"),
                error=target.get("lastError", ""),
                labels=target.get("labels", {}),
            )
            for target in data.get("activeTargets", ())
        ]

    async def _data(self, path: str, params: Mapping[str, str]) -> Any:
        response = await self._door.ask(Question(path, params))
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise Rejected(
                f"{self._door.name} refuses {params.get('query', path)!r}: "
                f"{answer.get('errorType', 'error')}: {answer.get('error', 'no reason given')}",
                status=response.status,
            )
        if response.status >= 300 or not isinstance(answer, dict) or "data" not in answer:
            raise doors.refusal(self._door, path, response)
        return answer["data"]


def _sample(labels: Mapping[str, str], pair: tuple[float, str]) -> Sample:
    time, value = pair
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    return Sample(labels, number, float(time))
