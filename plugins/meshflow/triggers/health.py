"""Waiting for objects to become healthy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Self

from airflow.sdk import timezone

from meshflow import errors
from meshflow.health import judge
from meshflow.objects.reference import Obj, Reference
from meshflow.triggers.cluster import ClusterTrigger


class HealthTrigger(ClusterTrigger):
    """Fires once when all objects are `current`, when one is `degraded`, or at the deadline.

    The event is {"status": "healthy" | "degraded" | "expired", "waiting": [...], "broken": [...]}; each line names an
    object and says what about it, numbers included. Every change of what is waited for is a line in the task's log.
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
        summary = judge.summarize({reference: judge.judge(seen.get(reference)) for reference in self.references})
        lines = "; ".join((*summary.broken, *summary.waiting))
        if lines and lines != self._last:
            self.log.info("Waiting for %s", lines)
        self._last = lines
        if summary.done:
            return {"status": "healthy", "waiting": [], "broken": []}
        if summary.failed:
            return {"status": "degraded", "waiting": list(summary.waiting), "broken": list(summary.broken)}
        return None

    def expired(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any]:
        summary = judge.summarize({reference: judge.judge(seen.get(reference)) for reference in self.references})
        return {"status": "expired", "waiting": list(summary.waiting), "broken": list(summary.broken)}

    def blind(self, why: str) -> dict[str, Any]:
        return {"status": "expired", "waiting": [f"an answer of the cluster ({why})"], "broken": []}


def raise_unless_healthy(event: Mapping[str, Any], *, what: str) -> None:
    """Turn the trigger's event into nothing, Degraded or WaitExpired, with a sentence that names `what`."""
    if event["status"] == "healthy":
        return
    if event["status"] == "degraded":
        broken = event["broken"]
        raise errors.Degraded(
            f"{what} cannot become healthy: {'; '.join(broken)}. Nothing was undone; mend it and clear this task.",
            objects=broken,
        )
    waiting = [*event["broken"], *event["waiting"]]
    raise errors.WaitExpired(
        f"{what} did not become healthy in time; still waiting for {'; '.join(waiting)}. "
        "Nothing was undone; clear this task to wait again.",
        waiting_for=waiting,
    )


def _four(reference: Iterable[str | None]) -> tuple[Any, Any, Any, Any]:
    group, kind, namespace, name = reference
    return group, kind, namespace, name
