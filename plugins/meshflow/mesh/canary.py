"""What became of MY revision: one observation in, one decision out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from meshflow.mesh.timeline import Step
from meshflow.objects.reference import Obj
from meshflow.release.outcome import Outcome


class Names(NamedTuple):
    """Names of the objects around one Canary, all in its namespace."""

    target: str  # Deployment that a person writes
    primary: str  # Deployment that Flagger made from it
    service: str  # apex Service; the VirtualService has the same name


@dataclass(frozen=True)
class Weights:
    """Percent of the traffic, as the VirtualService says."""

    primary: int
    canary: int


@dataclass(frozen=True)
class Release:
    """Whose outcome is asked for. JSON-simple (`to_json`), because triggers carry it.

    `image` is `repository@digest` as written to the target; `release_id` is the pod template's annotation
    `meshflow.io/release-id`; `started` is when it was written. The other three are from around that write:
    `generation` of the target as the write returned it (an older observation is stale), and the canary's
    `lastAppliedSpec` and `lastPromotedSpec` before it ("" when there was no canary yet).
    """

    service: str
    namespace: str
    image: str
    release_id: str
    started: datetime
    generation: int = 0
    applied_before: str = ""
    promoted_before: str = ""

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Release:
        raise NotImplementedError


@dataclass(frozen=True)
class RolloutObservation:
    """What was seen at one moment; None for an object that does not exist."""

    canary: Obj | None
    virtual_service: Obj | None
    target: Obj | None
    primary: Obj | None
    events: tuple[Obj, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Wait (`outcome` is None) or stop with an outcome. `message` is one sentence for a person."""

    outcome: Outcome | None
    message: str
    phase: str = ""
    weights: Weights | None = None
    timeline: tuple[Step, ...] = ()
    deadline: datetime | None = None  # when this wait turns to `wedged` if nothing moves; None while a person is asked

    @property
    def done(self) -> bool:
        return self.outcome is not None

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError


def names(canary: Obj) -> Names:
    """The names that Flagger derives from a Canary's spec."""
    spec = canary["spec"]
    target = spec["targetRef"]["name"]
    return Names(target, f"{target}-primary", spec.get("service", {}).get("name") or target)


def decide(observation: RolloutObservation, *, release: Release, now: datetime) -> Decision:
    """Whether the release is over, and how it ended. Looks at nothing but its arguments."""
    raise NotImplementedError
