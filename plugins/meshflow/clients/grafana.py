"""Grafana's HTTP API, as far as gates need it."""

from __future__ import annotations

from typing import NamedTuple

from meshflow.clients import door as doors
from meshflow.clients.door import Door, Question


class DataSource(NamedTuple):
    """Where Grafana takes its data from."""

    uid: str
    name: str
    type: str
    url: str


class Verdict(NamedTuple):
    """What Grafana's own check of a data source says."""

    ok: bool
    message: str


class Grafana:
    """One Grafana behind a door, which has logged in where Grafana wants that."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def health(self) -> dict[str, str]:
        """`database` (ok), `version`; Temporary while it starts."""
        answer = await doors.json_of(self._door, "api/health")
        return {str(name): str(value) for name, value in answer.items()}

    async def datasources(self) -> list[DataSource]:
        """All data sources."""
        answer = await doors.json_of(self._door, "api/datasources")
        return [DataSource(one["uid"], one["name"], one.get("type", ""), one.get("url", "")) for one in answer]

    async def datasource_health(self, uid: str) -> Verdict:
        """Whether Grafana gets an answer from a data source. A failed check is a verdict, not an error."""
        path = f"api/datasources/uid/{uid}/health"
        response = await self._door.ask(Question(path))
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if response.status >= 300 and not (isinstance(answer, dict) and "message" in answer):
            raise doors.refusal(self._door, path, response)
        ok = response.status < 300 and str(answer.get("status", "OK")).upper() == "OK"
        return Verdict(ok, str(answer.get("message", "")))
