"""Following one release by watch until its outcome is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

from airflow.sdk import timezone

from meshflow.clients.watch import EVERY
from meshflow.mesh import canary, timeline, witness
from meshflow.objects.reference import Obj, Reference
from meshflow.release.outcome import Outcome
from meshflow.triggers.cluster import ClusterTrigger


class RolloutTrigger(ClusterTrigger):
    """Fires once with the `Decision` as JSON when it is done.

    Each weight step and failed check is a line in the task's log as it happens, with its numbers. After a restart of
    the triggerer the timeline is read again from the cluster's Events; nothing was kept here that the outcome needs.
    """

    def __init__(
        self, *, cluster: str, deadline: str, release: Mapping[str, Any], canary_name: str, target: str, routes: str
    ) -> None:
        super().__init__(cluster=cluster, deadline=deadline)
        self.release = dict(release)
        self.canary_name, self.target, self.routes = canary_name, target, routes
        self._timeline: tuple[timeline.Step, ...] = ()
        self._witness = witness.Witness()
        self._logged: set[str] = set()
        self._said = ""

    @classmethod
    def within(
        cls, wait: timedelta, *, cluster: str, release: canary.Release, canary_name: str, target: str, routes: str
    ) -> Self:
        """A trigger that gives the rollout up `wait` from now."""
        return cls(
            cluster=cluster,
            deadline=(timezone.utcnow() + wait).isoformat(),
            release=release.to_json(),
            canary_name=canary_name,
            target=target,
            routes=routes,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "cluster": self.cluster,
                "deadline": self.deadline,
                "release": self.release,
                "canary_name": self.canary_name,
                "target": self.target,
                "routes": self.routes,
            },
        )

    @property
    def namespace(self) -> str:
        return str(self.release["namespace"])

    def interest(self) -> Sequence[Reference]:
        return [*self._objects(), Reference("", "Event", self.namespace, EVERY)]

    def _objects(self) -> tuple[Reference, Reference, Reference, Reference]:
        """The Canary, its VirtualService, the target and the primary."""
        return (
            Reference("flagger.app", "Canary", self.namespace, self.canary_name),
            Reference("networking.istio.io", "VirtualService", self.namespace, self.routes),
            Reference("apps", "Deployment", self.namespace, self.target),
            Reference("apps", "Deployment", self.namespace, f"{self.target}-primary"),
        )

    def judge(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any] | None:
        decision = self._decide(seen)
        self._say(decision)
        return decision.to_json() if decision.done else None

    def expired(self, seen: Mapping[Reference, Obj | None]) -> dict[str, Any]:
        decision = self._decide(seen)
        message = f"the rollout did not end by {self.deadline}; it was last seen so: {decision.message}"
        return replace(decision, outcome=Outcome.WEDGED, message=message).to_json()

    def blind(self, why: str) -> dict[str, Any]:
        message = f"the cluster could not be asked how the rollout ended by {self.deadline}: {why}"
        return canary.Decision(Outcome.UNKNOWN, message, timeline=self._timeline).to_json()

    def _decide(self, seen: Mapping[Reference, Obj | None]) -> canary.Decision:
        watched, routes, target, primary = (seen.get(reference) for reference in self._objects())
        observation = canary.RolloutObservation(watched, routes, target, primary, self._events(seen))
        release, now = canary.Release.from_json(self.release), timezone.utcnow()
        self._witness.look(observation, release=release, now=now)
        sights = self._witness.sights
        told = [step for step in self._timeline if step not in {sight.step for sight in sights}]
        decision = canary.decide(observation, release=release, now=now, known=told, sights=sights)
        self._timeline = decision.timeline
        return decision

    def _events(self, seen: Mapping[Reference, Obj | None]) -> tuple[Obj, ...]:
        about = {"kind": "Canary", "name": self.canary_name}
        return tuple(
            obj
            for reference, obj in seen.items()
            if reference.kind == "Event" and obj and about.items() <= obj.get("involvedObject", {}).items()
        )

    def _say(self, decision: canary.Decision) -> None:
        seen = {sight.step for sight in self._witness.sights}  # the message below has them, until an event tells more
        for step in decision.timeline:
            if step not in seen and step.key not in self._logged:
                self._logged.add(step.key)
                self.log.info("%s", step)
        if decision.message != self._said:
            self._said = decision.message
            self.log.info("%s", decision.message)
