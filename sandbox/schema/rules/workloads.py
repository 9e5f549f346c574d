"""Deployments, ReplicaSets, StatefulSets, DaemonSets.

They differ in what they make of a bad selector: a DaemonSet does not even require one, and goes on to judge the
template where the others stop.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox import selectors
from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import config, names, pods
from sandbox.schema.rules.common import counts, int_or_percent, nothing, selector

NO_MATCH = "`selector` does not match template `labels`"


def deployment(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    yield from _selected(spec, "deployment")
    yield from _deployment_strategy(spec.get("strategy") or {}, "spec.strategy")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None and deadline <= ready:
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def replica_set(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from counts(spec, "replicas", "minReadySeconds")
    yield from _selected(spec, "deployment")


def stateful_set(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from counts(spec, "replicas", "minReadySeconds")
    policy, service = spec.get("podManagementPolicy"), spec.get("serviceName")
    if policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    yield from _stateful_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    if service:
        yield from (invalid("spec.serviceName", service, text) for text in names.label_1123(service))
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        yield from config.claim(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
    yield from _selected(spec, "statefulset")


def daemon_set(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    found, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    problems = list(selector(found or {}, "spec.selector"))
    yield from problems
    if found is None or not (problems or selectors.matches(found, labels or {})):
        yield invalid("spec.template.metadata.labels", labels, NO_MATCH)
    if found is not None and _empty(found):
        yield invalid("spec.selector", found, "empty selector is invalid for daemonset")
    yield from pods.template(template, "spec.template")
    yield from pods.restart_policy(template, "spec.template", ("Always",))
    yield from counts(spec, "minReadySeconds", "revisionHistoryLimit")
    yield from _daemon_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")


def _empty(found: Obj) -> bool:
    return not found.get("matchLabels") and not found.get("matchExpressions")


def _selected(spec: Obj, kind: str) -> Iterator[FieldError]:
    """The selector, and that it selects the template, whose errors come along unless the selector itself is wrong."""
    found, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    problems = [] if found is None else list(selector(found, "spec.selector"))
    yield from problems
    if found is None:
        yield required("spec.selector")
    elif _empty(found):
        yield invalid("spec.selector", found, f"empty selector is invalid for {kind}")
    if problems:
        yield invalid("spec.selector", found, "" if kind == "statefulset" else "invalid label selector")
    else:
        if not selectors.matches(found, labels or {}):
            yield invalid("spec.template.metadata.labels", labels, NO_MATCH)
        claims = [(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or ()]
        yield from pods.template(template, "spec.template", claims=claims)
    if not problems or kind == "statefulset":
        yield from pods.restart_policy(template, "spec.template", ("Always",))


def _deployment_strategy(strategy: Obj, path: str) -> Iterator[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            text = "may not be specified when strategy `type` is 'Recreate'"
            yield forbidden(f"{path}.rollingUpdate", text)
    elif kind == "RollingUpdate":
        yield from _deployment_pace(rolling or {}, f"{path}.rollingUpdate")
    else:
        yield not_supported(path, {"Type": kind, "RollingUpdate": rolling}, ("Recreate", "RollingUpdate"))


def _deployment_pace(rolling: Obj, path: str) -> Iterator[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    yield from int_or_percent(unavailable, f"{path}.maxUnavailable")
    if not (isinstance(surge, str) and surge.endswith("%") and surge[:-1].isdigit()):  # a surge may exceed 100%
        yield from int_or_percent(surge, f"{path}.maxSurge")
    if nothing(unavailable) and nothing(surge):
        yield invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")


def _stateful_strategy(strategy: Obj, path: str) -> Iterator[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "RollingUpdate" and rolling is not None:
        yield from counts(rolling, "partition", path=f"{path}.rollingUpdate")
        yield from int_or_percent(rolling.get("maxUnavailable"), f"{path}.rollingUpdate.maxUnavailable")
    elif kind == "OnDelete" and rolling is not None:
        yield invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind not in ("RollingUpdate", "OnDelete"):
        text = "must be 'RollingUpdate' or 'OnDelete'"
        yield invalid(path, {"Type": kind, "RollingUpdate": rolling}, text)


def _daemon_strategy(strategy: Obj, path: str) -> Iterator[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate") or {}
    if kind not in ("RollingUpdate", "OnDelete"):
        yield not_supported(path, {"Type": kind, "RollingUpdate": rolling or None}, ("RollingUpdate", "OnDelete"))
    if kind != "RollingUpdate":
        return
    here, unavailable, surge = f"{path}.rollingUpdate", rolling.get("maxUnavailable"), rolling.get("maxSurge")
    yield from int_or_percent(unavailable, f"{here}.maxUnavailable")
    yield from int_or_percent(surge, f"{here}.maxSurge")
    if not nothing(unavailable) and not nothing(surge):
        yield invalid(f"{here}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif nothing(unavailable) and nothing(surge):
        yield required(f"{here}.maxUnavailable", "cannot be 0 when maxSurge is 0")
