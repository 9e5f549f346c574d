"""Blue/green without Flagger: two Deployments, and a Service whose selector says which of them serves.

The idle colour gets the new image; when it is ready, the selector switches, and what the Service then reaches is
verified. Nobody is asked twice and nothing is kept: each step follows from what is there, so a run that died half-way
goes on where it was.

    selector   idle runs it   idle ready   Service reaches   step
    ---------  -------------  -----------  ----------------  ------------
    unknown    -              -            -                 unknown
    mine       yes            -            mine              succeeded
    mine       yes            -            other             verify
    mine       no             -            -                 superseded
    other      no             -            -                 prepare
    other      yes            failed       -                 rolled_back
    other      yes            no           -                 wait
    other      yes            yes          -                 switch

`prepare`, `switch` and `switch_back` are writes that the caller carries out; `wait` and `verify` wait. At the deadline
everything before the switch ends as `rolled_back` (users never saw the new colour); a Service that then still reaches
nobody of the new colour is switched back first, and one that reaches pods of both ends as `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from meshflow.objects.reference import Obj
from meshflow.release.outcome import Outcome

COLOUR = "meshflow.io/colour"
"""Label of both Deployments' pods, and key in the Service's selector."""

COLOURS = ("blue", "green")


class Verb(StrEnum):
    """What to do next while there is no outcome."""

    PREPARE = "prepare"
    WAIT = "wait"
    SWITCH = "switch"
    VERIFY = "verify"
    SWITCH_BACK = "switch_back"


class Ready(NamedTuple):
    """Whether a Deployment serves its newest template. `failed` says that waiting does not help."""

    ready: bool
    failed: bool
    message: str


@dataclass(frozen=True)
class Observation:
    """Deployments by colour, the Service, and the pods that its EndpointSlices list as ready."""

    deployments: Mapping[str, Obj]
    service: Obj | None
    serving: Sequence[Obj] = ()


@dataclass(frozen=True)
class Release:
    """Which image is wanted and until when. `colour` is the colour that gets it, fixed when the release began.

    It has to be fixed: after the switch, "the idle colour" is the other one. JSON-simple, because tasks hand it on.
    """

    image: str
    colour: str
    deadline: datetime

    def to_json(self) -> dict[str, Any]:
        return {"image": self.image, "colour": self.colour, "deadline": self.deadline.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Release:
        return cls(data["image"], data["colour"], datetime.fromisoformat(data["deadline"]))


@dataclass(frozen=True)
class Decision:
    """Either a verb or an outcome. `message` is one sentence for a person."""

    verb: Verb | None
    outcome: Outcome | None
    message: str

    @property
    def done(self) -> bool:
        return self.outcome is not None

    def to_json(self) -> dict[str, Any]:
        """As `canary.Decision` writes itself, without what there is only with Flagger."""
        return {"outcome": self.outcome.value if self.outcome else None, "message": self.message, "timeline": []}


def active(service: Obj | None) -> str | None:
    """The colour that the Service's selector names, None when it names none that is known."""
    colour = ((service or {}).get("spec") or {}).get("selector", {}).get(COLOUR)
    return colour if colour in COLOURS else None


def idle(service: Obj | None) -> str | None:
    """The colour that may be changed without a user noticing; None when the active one is not known."""
    now = active(service)
    return next((colour for colour in COLOURS if colour != now), None) if now else None


def decide(observation: Observation, *, release: Release, now: datetime) -> Decision:
    """The next step of a blue/green release. Looks at nothing but its arguments."""
    serving, late = active(observation.service), now >= release.deadline
    if serving is None or release.colour not in observation.deployments:
        return Decision(None, Outcome.UNKNOWN, f"no Service selects by {COLOUR}, or a Deployment is missing")
    deployment = observation.deployments[release.colour]
    if serving == release.colour:
        return _after_the_switch(observation, release=release, late=late)
    if not runs(deployment, release.image):
        return _or_back(Verb.PREPARE, f"{release.colour} gets {release.image}", serving=serving, late=late)
    state = readiness(deployment)
    if state.failed:
        return Decision(None, Outcome.ROLLED_BACK, f"{release.colour}: {state.message}; {serving} serves as before")
    if not state.ready:
        return _or_back(Verb.WAIT, f"{release.colour}: {state.message}", serving=serving, late=late)
    return _or_back(
        Verb.SWITCH, f"{release.colour} is ready: the Service switches from {serving}", serving=serving, late=late
    )


def runs(deployment: Obj, image: str) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return any(container.get("image") == image for container in containers)


def readiness(deployment: Obj) -> Ready:
    """Whether all wanted replicas of the newest template are available. With none wanted nobody would serve."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    if int(status.get("observedGeneration") or 0) < int(deployment["metadata"].get("generation") or 0):
        return Ready(False, False, "the change is not seen by its controller yet")
    for condition in status.get("conditions") or []:
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return Ready(False, True, condition.get("message") or "its progress deadline is over")
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    if wanted < 1:
        return Ready(False, False, "it is scaled to 0")
    if updated < wanted or available < wanted or int(status.get("replicas") or 0) > updated:
        return Ready(False, False, f"{min(updated, available)} out of {wanted} new replicas are available")
    return Ready(True, False, f"{wanted} out of {wanted} new replicas are available")


def _after_the_switch(observation: Observation, *, release: Release, late: bool) -> Decision:
    mine = [pod for pod in observation.serving if _colour(pod) == release.colour]
    others = len(observation.serving) - len(mine)
    if not runs(observation.deployments[release.colour], release.image):
        return Decision(None, Outcome.SUPERSEDED, f"{release.colour} serves, but runs another image by now")
    if mine and not others:
        return Decision(None, Outcome.SUCCEEDED, f"{release.colour} serves with {len(mine)} pods")
    message = f"the Service reaches {len(mine)} pods of {release.colour} and {others} others"
    if late and mine:
        return Decision(None, Outcome.UNKNOWN, f"{message}; its time is over")
    return Decision(Verb.SWITCH_BACK if late else Verb.VERIFY, None, message)


def _or_back(verb: Verb, message: str, *, serving: str, late: bool) -> Decision:
    """The verb, or, past the deadline, the end: the other colour serves, still or again."""
    if late:
        return Decision(None, Outcome.ROLLED_BACK, f"{message}; its time is over, and {serving} serves")
    return Decision(verb, None, message)


def _colour(pod: Obj) -> str:
    return str((pod["metadata"].get("labels") or {}).get(COLOUR, ""))
