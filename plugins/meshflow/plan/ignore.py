"""Fields that we declare and yet leave to others, each with its reason.

A rule never hides a difference that nobody else wrote: it applies only where another manager holds the field and we do
not (or, for `EMPTY`, where the manifest leaves the choice to the server). The field is then left out of what is
compared and of what is written. Fields that we do not declare need no rule: they are not compared at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from meshflow.objects.reference import Obj, Reference, group_of
from meshflow.plan import ownership, paths
from meshflow.plan.ownership import Fields, Owner
from meshflow.plan.paths import Keyed, Path


class When(StrEnum):
    """In which situation a rule holds."""

    ALWAYS = "always"
    HPA_TARGET = "a HorizontalPodAutoscaler scales the object"
    CANARY_TARGET = "a Flagger Canary has the object as its target"
    CANARY_SERVICE = "a Flagger Canary routes to a service of this name"
    EMPTY = "the declared value is empty"


class Rule(NamedTuple):
    """`kinds` as `Kind.group`; `path` with `*` for any key or item; `managers` as globs of who may hold the field."""

    kinds: tuple[str, ...]
    path: tuple[str, ...]
    reason: str
    managers: tuple[str, ...] = ("*",)
    when: When = When.ALWAYS


_WEBHOOKS = (
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
)
_WORKLOADS = ("Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps")

DEFAULT: tuple[Rule, ...] = (
    Rule(_WEBHOOKS, ("webhooks", "*", "clientConfig", "caBundle"), "the webhook's server writes its own certificate"),
    Rule(
        _WEBHOOKS,
        ("webhooks", "*", "failurePolicy"),
        "istiod turns Ignore into Fail once it answers",
        managers=("pilot-discovery", "istiod*"),
    ),
    Rule(
        ("CustomResourceDefinition.apiextensions.k8s.io",),
        ("spec", "conversion", "webhook", "clientConfig", "caBundle"),
        "the conversion webhook's server writes its own certificate",
    ),
    Rule(
        ("APIService.apiregistration.k8s.io",),
        ("spec", "caBundle"),
        "the extension server writes its own certificate",
    ),
    Rule(
        _WORKLOADS,
        ("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"),
        "a restart is an event, not a declaration",
    ),
    Rule(_WORKLOADS, ("spec", "replicas"), "the autoscaler sets the replicas", when=When.HPA_TARGET),
    Rule(
        _WORKLOADS, ("spec", "replicas"), "Flagger scales the target to zero between analyses", when=When.CANARY_TARGET
    ),
    Rule(
        _WORKLOADS,
        ("spec", "template", "spec", "containers", "*", "image"),
        "after the first install the image is set by releases",
        managers=("meshflow-release",),
    ),
    Rule(
        ("Service",),
        ("spec", "selector"),
        "Flagger points the service to the primary",
        managers=("flagger*",),
        when=When.CANARY_SERVICE,
    ),
    Rule(
        ("VirtualService.networking.istio.io",),
        ("spec", "http"),
        "Flagger moves the weights while a canary runs",
        managers=("flagger*",),
        when=When.CANARY_SERVICE,
    ),
    Rule(("Service",), ("spec", "clusterIP"), "the server chooses the address", when=When.EMPTY),
    Rule(("Service",), ("spec", "ports", "*", "nodePort"), "the server chooses the node port", when=When.EMPTY),
    Rule(("Service",), ("spec", "healthCheckNodePort"), "the server chooses the node port", when=When.EMPTY),
    Rule(
        ("*",),
        ("metadata", "labels", "istio.io/rev"),
        "istiod marks what it manages with its revision",
        managers=("pilot-discovery", "istiod*"),
    ),
)


@dataclass(frozen=True)
class Context:
    """What else is there: which objects autoscalers and canaries are about, (namespace, kind, name) each."""

    scaled: frozenset[tuple[str | None, str, str]] = frozenset()
    canary_targets: frozenset[tuple[str | None, str, str]] = frozenset()
    canary_services: frozenset[tuple[str | None, str]] = field(default=frozenset())

    @classmethod
    def of(cls, objects: Iterable[Obj]) -> Context:
        """What the HorizontalPodAutoscalers and Canaries among `objects` say."""
        scaled, targets, services = set(), set(), set()
        for obj in objects:
            reference = Reference.of(obj)
            spec = obj.get("spec") or {}
            if (reference.group, reference.kind) == ("autoscaling", "HorizontalPodAutoscaler"):
                target = spec.get("scaleTargetRef") or {}
                scaled.add((reference.namespace, target.get("kind", ""), target.get("name", "")))
            elif (reference.group, reference.kind) == ("flagger.app", "Canary"):
                target = spec.get("targetRef") or {}
                targets.add((reference.namespace, target.get("kind", ""), target.get("name", "")))
                name = (spec.get("service") or {}).get("name") or target.get("name", "")
                services |= {(reference.namespace, name), (reference.namespace, target.get("name", ""))}
        return cls(frozenset(scaled), frozenset(targets), frozenset(services))

    def holds(self, when: When, reference: Reference) -> bool:
        """Whether the situation is that of this object. `EMPTY` is about a value and is judged elsewhere."""
        identity = (reference.namespace, reference.kind, reference.name)
        match when:
            case When.HPA_TARGET:
                return identity in self.scaled
            case When.CANARY_TARGET:
                return identity in self.canary_targets
            case When.CANARY_SERVICE:
                return (reference.namespace, reference.name) in self.canary_services
            case _:
                return True


class Left(NamedTuple):
    """A declared field that is left to `manager` (None: to the server)."""

    path: Path
    manager: str | None
    reason: str


def left_to_others(
    declared: Obj, live: Obj, context: Context, *, manager: str, rules: Sequence[Rule] = DEFAULT
) -> list[Left]:
    """The declared fields that the rules leave to others, given who owns what in the live object."""
    reference = Reference.of(declared)
    all_owners = ownership.owners(live)
    own = ownership.ours(all_owners, manager)
    shape = ownership.shape(all_owners)
    found: list[Left] = []
    for rule in rules:
        if not _about(rule, declared) or not context.holds(rule.when, reference):
            continue
        for path, value in _matching(declared, rule.path, shape, ()):
            holder = _holder(rule, path, value, all_owners, own, manager)
            if holder is not None and all(path != other.path for other in found):
                found.append(Left(path, holder or None, rule.reason))
    return found


def without(obj: Obj, left: Iterable[str]) -> Obj:
    """A copy of the object without the fields at these paths (as `paths.text` writes them)."""
    copy: Obj = _copied(obj)
    for written in left:
        paths.remove(copy, paths.parse(written))
    return copy


def _about(rule: Rule, obj: Obj) -> bool:
    group = group_of(obj["apiVersion"])
    kind = f"{obj['kind']}.{group}" if group else obj["kind"]
    return any(fnmatchcase(kind, pattern) for pattern in rule.kinds)


def _holder(
    rule: Rule, path: Path, value: Any, all_owners: Sequence[Owner], own: Owner | None, manager: str
) -> str | None:
    """Who holds the field by this rule: a manager, "" for the server, None when the rule does not hold."""
    if rule.when is When.EMPTY:
        return "" if value in ("", 0) and not isinstance(value, bool) else None
    if own is not None and ownership.owns(own.fields, path):
        return None
    writer = ownership.writer_of(all_owners, path, but=manager)
    if writer is None or not any(fnmatchcase(writer.manager, pattern) for pattern in rule.managers):
        return None
    return writer.manager


def _matching(value: Any, pattern: Sequence[str], shape: Fields, path: Path) -> Iterator[tuple[Path, Any]]:
    """The fields of an object that a pattern names, items of keyed lists by their keys."""
    if not pattern:
        yield path, value
        return
    first, rest = pattern[0], pattern[1:]
    if isinstance(value, dict):
        for name in value if first == "*" else [first] * (first in value):
            yield from _matching(value[name], rest, shape.get(name, {}), (*path, name))
    elif isinstance(value, list) and first == "*":
        for index, item in enumerate(value):
            step = _item_step(index, item, shape)
            yield from _matching(item, rest, shape.get(step, {}), (*path, step))


def _item_step(index: int, item: Any, shape: Fields) -> paths.Step:
    """The owned step that agrees with the item, else its position."""
    if isinstance(item, dict):
        for step in shape:
            if isinstance(step, Keyed) and all(item.get(name, value) == value for name, value in step.keys):
                return step
    return index


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
