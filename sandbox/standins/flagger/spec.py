"""A Canary object, read once into facts: defaults filled in, durations in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

Obj = dict[str, Any]

LEAST_INTERVAL = 10.0  # seconds; anything shorter is raised to this
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class Strategy(StrEnum):
    """How traffic reaches the new revision."""

    CANARY = "canary"  # weights, step by step
    BLUE_GREEN = "blue-green"  # iterations of checks (on mirrored traffic), then everything at once
    AB = "ab-testing"  # iterations of checks on the requests that match


class HookType(StrEnum):
    """When a webhook is called, and what its refusal does."""

    CONFIRM_ROLLOUT = "confirm-rollout"  # before the target is scaled up; refusal: Waiting
    PRE_ROLLOUT = "pre-rollout"  # before the first weight; refusal: a failed check
    ROLLOUT = "rollout"  # with each check; refusal: a failed check
    CONFIRM_TRAFFIC = "confirm-traffic-increase"  # before each weight; refusal: the weight stays
    CONFIRM_PROMOTION = "confirm-promotion"  # after the last check; refusal: WaitingPromotion
    POST_ROLLOUT = "post-rollout"  # after the end, good or bad
    ROLLBACK = "rollback"  # each time in flight; approval: rolled back
    EVENT = "event"  # told about every event


class Hook(NamedTuple):
    name: str
    type: HookType
    url: str
    timeout: float
    retries: int
    metadata: Mapping[str, str]


class Metric(NamedTuple):
    """One check. Without `low` and `high`, `threshold` bounds it: from below for the success rate, else from above."""

    name: str
    interval: float  # seconds of the window
    threshold: float
    low: float | None
    high: float | None
    query: str
    template: tuple[str, str] | None  # namespace and name of a MetricTemplate
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Analysis:
    """How a revision is judged, and how fast it gets traffic."""

    interval: float = 60.0
    threshold: int = 1
    iterations: int = 0
    max_weight: int = 0
    step_weight: int = 0
    step_weights: tuple[int, ...] = ()
    step_weight_promotion: int = 0
    mirror: bool = False
    mirror_weight: int = 0
    match: tuple[Obj, ...] = ()
    metrics: tuple[Metric, ...] = ()
    hooks: tuple[Hook, ...] = ()
    primary_ready: int = 100  # percent of pods
    canary_ready: int = 100

    @property
    def strategy(self) -> Strategy:
        if self.iterations:
            return Strategy.AB if self.match else Strategy.BLUE_GREEN
        return Strategy.CANARY

    @property
    def limit(self) -> int:
        """The weight at which the canary is promoted."""
        if self.step_weights:
            return min(100, self.step_weights[-1])
        return self.max_weight or 100

    def step_from(self, weight: int) -> int:
        """How much the next step adds; 0 means that no step is configured, and nothing ever moves."""
        if self.step_weight or not self.step_weights:
            return self.step_weight
        if weight >= 100:
            return 1
        if weight == 0:
            return min(100, self.step_weights[0])
        for now, following in zip(self.step_weights, self.step_weights[1:], strict=False):
            if now == weight:
                return min(100 - weight, following - weight)
        return 100 - weight

    def hooks_of(self, *types: HookType) -> tuple[Hook, ...]:
        return tuple(hook for hook in self.hooks if hook.type in types)


@dataclass(frozen=True)
class Canary:
    """The object and what it asks for."""

    obj: Obj

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.obj["metadata"]["namespace"])

    @property
    def spec(self) -> Obj:
        return dict(self.obj["spec"])

    @property
    def target(self) -> str:
        return str(self.spec["targetRef"]["name"])

    @property
    def target_kind(self) -> str:
        return str(self.spec["targetRef"].get("kind", "Deployment"))

    @property
    def primary(self) -> str:
        return f"{self.target}-primary"

    @property
    def service(self) -> Obj:
        return dict(self.spec.get("service") or {})

    @property
    def apex(self) -> str:
        """The Service that clients call; `-primary` and `-canary` stand beside it."""
        return str(self.service.get("name") or self.target)

    @property
    def autoscaler(self) -> Obj | None:
        return self.spec.get("autoscalerRef")

    @property
    def skips_analysis(self) -> bool:
        return bool(self.spec.get("skipAnalysis")) or not (self.spec.get("analysis") or self.spec.get("canaryAnalysis"))

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def reverts(self) -> bool:
        return bool(self.spec.get("revertOnDeletion"))

    @property
    def deadline(self) -> float:
        """Seconds that a Deployment may take to progress."""
        return float(self.spec.get("progressDeadlineSeconds") or 600)

    @cached_property
    def analysis(self) -> Analysis:
        return _analysis(self.spec.get("analysis") or self.spec.get("canaryAnalysis") or {}, self.namespace)

    @property
    def owner(self) -> Obj:
        """The owner reference that everything made for this Canary carries."""
        return {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "name": self.name,
            "uid": self.obj["metadata"].get("uid", ""),
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}"


def seconds(duration: str) -> float:
    """A Go duration such as `1m30s` in seconds. Raises ValueError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"not a duration: {duration!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def duration_text(milliseconds: int) -> str:
    """Milliseconds as Go prints a duration: `900ms`, `1.5s`, `1m30s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _analysis(spec: Obj, namespace: str) -> Analysis:
    def ready(field: str) -> int:
        return 100 if spec.get(field) is None else int(spec[field])

    return Analysis(
        interval=_interval(spec.get("interval", "")),
        threshold=max(1, int(spec.get("threshold") or 1)),
        iterations=int(spec.get("iterations") or 0),
        max_weight=int(spec.get("maxWeight") or 0),
        step_weight=int(spec.get("stepWeight") or 0),
        step_weights=tuple(map(int, spec.get("stepWeights") or ())),
        step_weight_promotion=int(spec.get("stepWeightPromotion") or 0),
        mirror=bool(spec.get("mirror")),
        mirror_weight=int(spec.get("mirrorWeight") or 0),
        match=tuple(spec.get("match") or ()),
        metrics=tuple(_metric(metric, namespace) for metric in spec.get("metrics") or ()),
        hooks=tuple(_hook(hook) for hook in spec.get("webhooks") or ()),
        primary_ready=ready("primaryReadyThreshold"),
        canary_ready=ready("canaryReadyThreshold"),
    )


def _interval(text: str) -> float:
    try:
        return max(LEAST_INTERVAL, seconds(text))
    except ValueError:
        return 60.0


def _metric(spec: Obj, namespace: str) -> Metric:
    bounds = spec.get("thresholdRange") or {}
    template = spec.get("templateRef")
    return Metric(
        name=spec["name"],
        interval=seconds(spec.get("interval") or "1m"),
        threshold=float(spec.get("threshold") or 0),
        low=None if bounds.get("min") is None else float(bounds["min"]),
        high=None if bounds.get("max") is None else float(bounds["max"]),
        query=spec.get("query") or "",
        template=(template.get("namespace") or namespace, template["name"]) if template else None,
        variables=spec.get("templateVariables") or {},
    )


def _hook(spec: Obj) -> Hook:
    return Hook(
        name=spec["name"],
        type=HookType(spec.get("type") or HookType.ROLLOUT),
        url=spec["url"],
        timeout=seconds(spec.get("timeout") or "10s"),
        retries=int(spec.get("retries") or 0),
        metadata=spec.get("metadata") or {},
    )
