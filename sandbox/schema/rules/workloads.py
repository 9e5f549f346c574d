"""Deployments and their like, jobs, autoscalers, disruption budgets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import metadata, pods
from sandbox.schema.rules.pods import NOT_NEGATIVE

IMMUTABLE = "field is immutable"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
PERCENT = re.compile(r"\d+%")
NO_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def deployment(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from _counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    yield from _selected(spec)
    yield from _always(spec)
    yield from _strategy(spec.get("strategy") or {}, "spec.strategy", ("Recreate", "RollingUpdate"))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None and 0 <= deadline <= ready:
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def replica_set(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from _counts(spec, "replicas", "minReadySeconds")
    yield from _selected(spec)
    yield from _always(spec)


def daemon_set(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from _counts(spec, "minReadySeconds", "revisionHistoryLimit")
    yield from _selected(spec)
    yield from _always(spec)


def stateful_set(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from _counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from _selected(spec)
    yield from _always(spec)


def job(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    """A job's selector and labels are made by the server, so they are not judged here."""
    spec = obj.get("spec") or {}
    yield from _counts(
        spec, "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"
    )
    yield from pods.template(spec.get("template"), "spec.template")
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if restart == "Always":
        yield not_supported("spec.template.spec.restartPolicy", restart, ("Never", "OnFailure"))
    yield from _immutable(obj, old, "selector", "completionMode", "completions")
    if old is not None and not (old.get("spec") or {}).get("suspend"):
        yield from _immutable(obj, old, "template")


def cron_job(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if not spec.get("schedule"):
        yield required("spec.schedule")
    yield from _counts(spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit")


def autoscaler(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    target, least, most = spec.get("scaleTargetRef") or {}, spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for name in ("kind", "name"):
        if not target.get(name):
            yield required(f"spec.scaleTargetRef.{name}")


def disruption_budget(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        yield from _int_or_percent(spec.get(name), f"spec.{name}")
    if spec.get("selector"):
        yield from selector(spec["selector"], "spec.selector")


def _counts(spec: Obj, *names: str) -> Iterator[FieldError]:
    for name in names:
        if (spec.get(name) or 0) < 0:
            yield invalid(f"spec.{name}", spec[name], NOT_NEGATIVE)


def _selected(spec: Obj) -> Iterator[FieldError]:
    """The selector, and that it selects the template, whose errors come along."""
    found = spec.get("selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if found is None:
        yield required("spec.selector")
    else:
        yield from selector(found, "spec.selector")
        if not found.get("matchLabels") and not found.get("matchExpressions"):
            yield invalid("spec.selector", found, "empty selector is invalid for deployment")
    if found is None or not selects(found, labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    claims = [(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or ()]
    yield from pods.template(spec.get("template"), "spec.template", claims=claims)


def selector(found: Obj, path: str) -> Iterator[FieldError]:
    """A label selector."""
    yield from metadata.label_map(found.get("matchLabels"), f"{path}.matchLabels")
    for index, expression in enumerate(found.get("matchExpressions") or ()):
        here, operator = f"{path}.matchExpressions[{index}]", expression.get("operator", "")
        if operator not in OPERATORS:
            yield invalid(f"{here}.operator", operator, "not a valid selector operator")
        elif operator in OPERATORS[:2] and not expression.get("values"):
            yield required(f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in OPERATORS[2:] and expression.get("values"):
            yield forbidden(f"{here}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")


def selects(found: Obj, labels: Obj) -> bool:
    """Whether a label selector selects these labels."""
    if any(labels.get(key) != value for key, value in (found.get("matchLabels") or {}).items()):
        return False
    return all(_holds(expression, labels) for expression in found.get("matchExpressions") or ())


def _holds(expression: Obj, labels: Obj) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _always(spec: Obj) -> Iterator[FieldError]:
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy", "Always")
    if restart in ("OnFailure", "Never"):
        yield not_supported("spec.template.spec.restartPolicy", restart, ("Always",))


def _strategy(strategy: Obj, path: str, known: tuple[str, ...]) -> Iterator[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in known:
        yield not_supported(f"{path}.type", kind, known)
    elif kind == "Recreate" and rolling is not None:
        yield forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif rolling is not None:
        for name in ("maxUnavailable", "maxSurge"):
            yield from _int_or_percent(rolling.get(name), f"{path}.rollingUpdate.{name}")
        if rolling.get("maxUnavailable") in (0, "0%") and rolling.get("maxSurge") in (0, "0%"):
            yield invalid(
                f"{path}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"
            )


def _int_or_percent(value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and not PERCENT.fullmatch(value):
        yield invalid(path, value, NO_PERCENT)
    elif isinstance(value, int) and value < 0:
        yield invalid(path, value, NOT_NEGATIVE)


def _immutable(obj: Obj, old: Obj | None, *names: str) -> Iterator[FieldError]:
    if old is None:
        return
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    for name in names:
        if spec.get(name) != before.get(name):
            yield invalid(f"spec.{name}", spec.get(name), IMMUTABLE)
