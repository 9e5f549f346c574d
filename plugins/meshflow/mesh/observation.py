"""What is seen of a rollout at one moment, reduced to the few facts that its outcome hangs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from meshflow.mesh import timeline
from meshflow.mesh.timeline import Step, StepKind
from meshflow.mesh.weights import Traffic, Weights, weights
from meshflow.objects.reference import Obj

RELEASE_ID = "meshflow.io/release-id"
"""Annotation on the pod template that tells whose revision it is. Flagger copies it to the primary on promotion."""


class Names(NamedTuple):
    """Names of the objects around one Canary, all in its namespace."""

    target: str  # Deployment that a person writes
    primary: str  # Deployment that Flagger made from it
    service: str  # apex Service; the VirtualService has the same name


@dataclass(frozen=True)
class Release:
    """Whose outcome is asked for. JSON-simple (`to_json`), because triggers carry it.

    `image` is `repository@digest` as written to the target; `release_id` is the pod template's annotation `RELEASE_ID`;
    `started` is when it was written, by the cluster's clock where that is known (managedFields of the write).
    `generation` is the target's as the write returned it: an older observation is stale. `condition_before` and
    `applied_before` (its hash of the template) are from the canary before the write (`before`), empty without one.
    """

    service: str
    namespace: str
    image: str
    release_id: str
    started: datetime
    generation: int = 0
    condition_before: str = ""
    applied_before: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "started": self.started.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Release:
        return cls(**{**data, "started": datetime.fromisoformat(data["started"])})


@dataclass(frozen=True)
class RolloutObservation:
    """What was seen at one moment; None for an object that does not exist."""

    canary: Obj | None
    virtual_service: Obj | None
    target: Obj | None
    primary: Obj | None
    events: tuple[Obj, ...] = ()


class State(StrEnum):
    """Flagger's phases by what they mean for somebody who waits."""

    ABSENT = "absent"  # no Canary yet
    DELETED = "deleted"  # it was there, or is being deleted
    STARTING = "starting"
    INITIALIZED = "initialized"
    ASKING = "asking"  # a person has to say yes
    ANALYSING = "analysing"
    PROMOTING = "promoting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STRANGE = "strange"  # a phase that this table does not know


PHASES: Mapping[str, State] = {
    "": State.STARTING,
    "Initializing": State.STARTING,
    "Initialized": State.INITIALIZED,
    "Waiting": State.ASKING,
    "WaitingPromotion": State.ASKING,
    "Progressing": State.ANALYSING,
    "Promoting": State.PROMOTING,
    "Finalising": State.PROMOTING,
    "Succeeded": State.SUCCEEDED,
    "Failed": State.FAILED,
    "Terminating": State.DELETED,
    "Terminated": State.DELETED,
}


class Whose(StrEnum):
    """Whose revision a Deployment's template is."""

    MINE = "mine"
    OTHER = "other"
    STALE = "stale"  # seen as it was before our own write
    MISSING = "missing"


class Facts(NamedTuple):
    """All that the truth table looks at."""

    target: Whose
    state: State
    noticed: bool  # Flagger reached a new verdict since our write
    primary: Whose
    traffic: Traffic


def names(canary: Obj) -> Names:
    """The names that Flagger derives from a Canary's spec."""
    spec = canary["spec"]
    target = spec["targetRef"]["name"]
    return Names(target, f"{target}-primary", spec.get("service", {}).get("name") or target)


def before(canary: Obj | None) -> dict[str, str]:
    """What a Release remembers of the canary as it is before the write."""
    applied = ((canary or {}).get("status") or {}).get("lastAppliedSpec") or ""
    return {"condition_before": condition_mark(canary), "applied_before": applied}


def condition_mark(canary: Obj | None) -> str:
    """`reason@lastUpdateTime` of the Promoted condition, empty without one.

    The one field that tells a new verdict from an old one: a failed Canary's lastAppliedSpec and lastTransitionTime are
    rewritten at every interval, this only when the phase really changed.
    """
    condition = promoted_condition(canary)
    return f"{condition.get('reason')}@{condition.get('lastUpdateTime')}" if condition else ""


def promoted_condition(canary: Obj | None) -> Obj:
    conditions = ((canary or {}).get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == "Promoted"), {})


def facts(observation: RolloutObservation, *, release: Release, happened: Sequence[Step]) -> Facts:
    """The observation reduced to what decides; `happened` is what Flagger said since the write."""
    split = split_of(observation, release=release)
    return Facts(
        target=_whose(observation.target, release, generation=release.generation),
        state=state_of(observation.canary, known_before=bool(release.condition_before)),
        noticed=_noticed(observation.canary, release, happened),
        primary=_whose(observation.primary, release),
        traffic=split.traffic if split else Traffic.UNKNOWN,
    )


def split_of(observation: RolloutObservation, *, release: Release) -> Weights | None:
    """The real weights, None when there is no VirtualService that splits."""
    service = names(observation.canary).service if observation.canary else release.service
    return weights(observation.virtual_service, service=service)


def state_of(canary: Obj | None, *, known_before: bool = False) -> State:
    """What the Canary's phase means; `known_before` tells one that is gone from one that was never there."""
    if canary is None:
        return State.DELETED if known_before else State.ABSENT
    if canary["metadata"].get("deletionTimestamp"):
        return State.DELETED
    return PHASES.get((canary.get("status") or {}).get("phase", ""), State.STRANGE)


def last_sign(observation: RolloutObservation, *, release: Release) -> datetime:
    """When Flagger last did something for this release: its status or its newest event, never before the write.

    What it merely says again at every interval is no sign of life: that the Canary is suspended, that an object is not
    there, and before the first analysis also that pods are not ready, for that is what nobody ends by then.
    """
    status = (observation.canary or {}).get("status") or {}
    idle = {StepKind.NOTE, *([StepKind.NOT_READY] if state_of(observation.canary) is State.STARTING else [])}
    signs = [release.started, timeline.moment(status.get("lastTransitionTime"))]
    happened = timeline.steps(observation.events, since=release.started)
    signs += [step.time for step in happened if step.kind not in idle]
    return max(sign for sign in signs if sign)


def serves(deployment: Obj | None) -> bool:
    """Whether all pods of a Deployment are of its newest template, and one of them at least is available."""
    status, metadata = (deployment or {}).get("status") or {}, (deployment or {}).get("metadata") or {}
    updated = int(status.get("updatedReplicas") or 0)
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    return seen and 0 < updated == int(status.get("replicas") or 0) and int(status.get("availableReplicas") or 0) > 0


def skips_analysis(canary: Obj | None) -> bool:
    """Whether Flagger promotes without looking, by its own rule."""
    spec = (canary or {}).get("spec") or {}
    return bool(spec.get("skipAnalysis")) or "analysis" not in spec


def _noticed(canary: Obj | None, release: Release, happened: Sequence[Step]) -> bool:
    """Whether Flagger reached a new verdict since the write, and one about this release.

    Where the release took the place of an analysis, that one's own failure may come in between: then Flagger has to
    have said, or shown, that it saw a new revision.
    """
    if condition_mark(canary) in ("", release.condition_before):
        return False
    replaced = PHASES.get(release.condition_before.partition("@")[0], State.STRANGE) in (State.ANALYSING, State.ASKING)
    return not replaced or any(step.kind is StepKind.DETECTED for step in happened)


def _whose(deployment: Obj | None, release: Release, *, generation: int = 0) -> Whose:
    if deployment is None:
        return Whose.MISSING
    if int(deployment["metadata"].get("generation", 0)) < generation:
        return Whose.STALE
    template = deployment["spec"]["template"]
    annotated = (template.get("metadata", {}).get("annotations") or {}).get(RELEASE_ID) == release.release_id
    runs = any(container.get("image") == release.image for container in template["spec"].get("containers", []))
    return Whose.MINE if annotated and runs else Whose.OTHER
