"""Asking gates again until they pass: their answers are not objects of the API server, so there is nothing to watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from airflow.sdk import timezone
from airflow.triggers.base import BaseTrigger, TriggerEvent

from meshflow import errors, settings
from meshflow.engine import gates
from meshflow.gates.model import Verdicts
from meshflow.hooks.cluster import ClusterHook

INTERVAL = 2.0  # seconds between two rounds


class GatesTrigger(BaseTrigger):
    """Fires when all gates pass, or at the deadline, with the last verdicts as JSON.

    What changed between two rounds is a line in the task's log.
    """

    def __init__(self, *, cluster: str, deadline: str, gates: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.cluster, self.deadline, self.gates, self.options = cluster, deadline, gates, dict(options)
        self._said: set[str] = set()

    @classmethod
    def within(cls, wait: timedelta, *, cluster: str, gates: str, options: Mapping[str, Any]) -> Self:
        """A trigger that gives up `wait` from now."""
        deadline = (timezone.utcnow() + wait).isoformat()
        return cls(cluster=cluster, deadline=deadline, gates=gates, options=options)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"cluster": self.cluster, "deadline": self.deadline, "gates": self.gates, "options": self.options},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the verdicts of the last round."""
        while True:
            verdicts = await self._round()
            if verdicts.passed or timezone.utcnow() >= datetime.fromisoformat(self.deadline):
                yield TriggerEvent({"verdicts": verdicts.to_json()})
                return
            await asyncio.sleep(INTERVAL)

    async def _round(self) -> Verdicts:
        try:
            async with ClusterHook(self.cluster).kube() as kube:
                verdicts = await gates.evaluate(kube, settings.load(), self.gates, self.options)
        except errors.Temporary as problem:
            verdicts = gates.could_not_ask(self.gates, problem)
        for verdict in verdicts:
            if not verdict.passed and str(verdict) not in self._said:
                self._said.add(str(verdict))
                self.log.info("%s", verdict)
        return verdicts
