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

    What waiting cannot mend, such as credentials that are not accepted, ends it at once, as the verdict `error`. (An
    exception here would reach the task as Airflow's own words, and be tried again.) What changed between two rounds is
    a line in the task's log.
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
        verdicts, lasting = await self._round()
        while not verdicts.passed and not lasting and timezone.utcnow() < datetime.fromisoformat(self.deadline):
            await asyncio.sleep(INTERVAL)
            verdicts, lasting = await self._round()
        yield TriggerEvent({"verdicts": verdicts.to_json()})

    async def _round(self) -> tuple[Verdicts, bool]:
        """The verdicts, and whether they are about a problem that asking again does not mend."""
        lasting = False
        try:
            async with ClusterHook(self.cluster).kube() as kube:
                verdicts = await gates.evaluate(kube, settings.load(), self.gates, self.options)
        except errors.MeshflowError as problem:
            verdicts, lasting = gates.could_not_ask(self.gates, problem), isinstance(problem, errors.Permanent)
        for verdict in verdicts:
            if not verdict.passed and str(verdict) not in self._said:
                self._said.add(str(verdict))
                self.log.info("%s", verdict)
        return verdicts, lasting
