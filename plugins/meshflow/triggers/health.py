"""Waiting for objects to become healthy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from airflow.sdk import timezone

from meshflow import errors
from meshflow.health import judge
from meshflow.health.model import Health, Status
from meshflow.objects.reference import Obj, Reference
from meshflow.triggers.cluster import ClusterTrigger

BLIND = "blind"
"""The event's status where the deadline passed and the cluster could not be asked: nothing is known."""

TOLD = 20
"""Objects that a line or a sentence names: one that names hundreds, at each change of one, is read by nobody."""


class HealthTrigger(ClusterTrigger):
    """Fires once when all objects are `current`, when one is `degraded`, or at the deadline.

    The event is {"status": "healthy" | "degraded" | "expired" | BLIND, "waiting": [...], "broken": [...]}; each line
    names an object and says what about it, numbers included. Where it did not end well, `unhealthy` has the references
    of these objects. Every change of what is waited for is a line in the task's log.
    """

    def __init__(self, *, cluster: str, deadline: str, references: Iterable[Iterable[str | None]]) -> None:
        super().__init__(cluster=cluster, deadline=deadline)
        self.references = [Reference(*_four(reference)) for reference in references]
        self._last = ""

    @classmethod
    def within(cls, wait: timedelta, *, cluster: str, references: Iterable[Reference]) -> Self:
        """A trigger whose deadline is `wait` from now."""
        deadline = (timezone.utcnow() + wait).isoformat()
        return cls(cluster=cluster, deadline=deadline, references=[list(reference) for reference in references])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "cluster": self.cluster,
                "deadline": self.deadline,
                "references": [list(reference) for reference in self.references],
            },
        )

    def interest(self) -> list[Reference]:
        return self.references

    def judge(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any] | None:
        found = self._found(seen)
        summary = judge.summarize(found)
        lines = told((*summary.broken, *summary.waiting))
        if lines and lines != self._last:
            self.log.info("Waiting for %s", lines)
        self._last = lines
        if summary.done:
            return {"status": "healthy", "waiting": [], "broken": []}
        return _event("degraded", found) if summary.failed else None

    def expired(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any]:
        return _event("expired", self._found(seen))

    def _found(self, seen: Mapping[Reference, Obj | None]) -> dict[Reference, Health]:
        return {reference: judge.judge(seen.get(reference)) for reference in self.references}

    def blind(self, why: str) -> dict[str, Any]:
        return {"status": BLIND, "waiting": [f"an answer of the cluster ({why})"], "broken": []}


def raise_unless_healthy(event: Mapping[str, Any], *, what: str, reasons: Sequence[str] = ()) -> None:
    """Turn the trigger's event into nothing, Degraded or WaitExpired, with a sentence that names `what`.

    `reasons` are lines about its objects that are not in the event.
    """
    if event["status"] == "healthy":
        return
    if event["status"] == "degraded":
        broken = event["broken"]
        raise errors.Degraded(
            f"{what} cannot become healthy: {'; '.join([told(broken), *reasons])}. "
            "Nothing was undone; mend it and clear this task.",
            objects=broken,
        )
    waiting = [*event["broken"], *event["waiting"]]
    raise errors.WaitExpired(
        f"{what} did not become healthy in time; still waiting for {'; '.join([told(waiting), *reasons])}. "
        "Nothing was undone; clear this task to wait again.",
        waiting_for=waiting,
    )


def told(lines: Sequence[str], *, limit: int = TOLD) -> str:
    """The lines as one, the first of many and how many more there are."""
    more = [f"and {len(lines) - limit} more"] if len(lines) > limit else []
    return "; ".join([*lines[:limit], *more])


def unhealthy(event: Mapping[str, Any]) -> list[Reference]:
    """The objects that were not healthy when the wait ended."""
    return [Reference(*_four(reference)) for reference in event.get("unhealthy", ())]


def _event(status: str, found: Mapping[Reference, Health]) -> dict[str, Any]:
    summary = judge.summarize(found)
    missing = [list(reference) for reference, health in found.items() if health.status is not Status.CURRENT]
    return {
        "status": status,
        "waiting": list(summary.waiting),
        "broken": list(summary.broken),
        "unhealthy": missing,
    }


def _four(reference: Iterable[str | None]) -> tuple[Any, Any, Any, Any]:
    group, kind, namespace, name = reference
    return group, kind, namespace, name
