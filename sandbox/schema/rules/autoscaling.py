"""HorizontalPodAutoscalers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sandbox.schema import quantity
from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

SOURCES = ("ContainerResource", "External", "Object", "Pods", "Resource")
TARGETS = ("Utilization", "Value", "AverageValue")
POLICIES = ("Percent", "Pods")
SELECTIONS = ("Disabled", "Max", "Min")
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800  # seconds


def autoscaler(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most == 0:
        yield required("spec.maxReplicas", "must be set and greater than 0")
    elif most < 0:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to 1")
    if most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    yield from _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    metrics = spec.get("metrics") or ()
    for index, metric in enumerate(metrics):
        yield from _metric(metric, f"spec.metrics[{index}]")
    if least == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden("spec.metrics", text)
    for name, rules in (spec.get("behavior") or {}).items():
        yield from _scaling(rules, f"spec.behavior.{name}")


def _reference(found: Obj, path: str) -> Iterator[FieldError]:
    for name in ("kind", "name"):
        if not found.get(name):
            yield required(f"{path}.{name}")
        else:
            yield from (invalid(f"{path}.{name}", found[name], text) for text in names.path_segment(found[name]))
    version = found.get("apiVersion", "")
    if "/" not in version:
        yield invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _metric(metric: Obj, path: str) -> Iterator[FieldError]:
    kind, given = metric.get("type", ""), [name for name in metric if name != "type"]
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in SOURCES:
        yield not_supported(f"{path}.type", kind, SOURCES)
    source = kind[:1].lower() + kind[1:]
    if kind in SOURCES and source not in given:
        yield required(f"{path}.{source}", "must populate information for the given metric source")
    if given[:1] == ["resource"]:
        yield from _resource(metric["resource"], f"{path}.resource")
    if len(given) > 1:
        others = [name for name in given if name != source]
        yield from (forbidden(f"{path}.{name}", "must populate the given metric source only") for name in others)


def _resource(source: Obj, path: str) -> Iterator[FieldError]:
    if not source.get("name"):
        yield required(f"{path}.name", "must specify a resource name")
    target, here = source.get("target") or {}, f"{path}.target"
    kind, share = target.get("type", ""), target.get("averageUtilization")
    if not kind:
        yield required(f"{here}.type", "must specify a metric target type")
    if kind not in TARGETS:
        yield invalid(f"{here}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if name in target and quantity.value(target[name]) <= 0:
            yield invalid(f"{here}.{name}", target[name], "must be positive")
    if share is not None and share < 1:
        yield invalid(f"{here}.averageUtilization", share, "must be greater than 0")
    if share is None and "averageValue" not in target:
        text = "must set either a target raw value or a target utilization"
        yield required(f"{here}.averageUtilization", text)
    elif share is not None and "averageValue" in target:
        text = "may not set both a target raw value and a target utilization"
        yield forbidden(f"{here}.averageValue", text)


def _scaling(rules: Obj, path: str) -> Iterator[FieldError]:
    window, selection = rules.get("stabilizationWindowSeconds", 0), rules.get("selectPolicy", "Max")
    if window < 0:
        yield invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window > LONGEST_WINDOW:
        text = f"must be less than or equal to {LONGEST_WINDOW}"
        yield invalid(f"{path}.stabilizationWindowSeconds", window, text)
    if selection not in SELECTIONS:
        yield not_supported(f"{path}.selectPolicy", selection, SELECTIONS)
    if not rules.get("policies"):
        yield required(f"{path}.policies", "must specify at least one Policy")
    yield from _policies(rules.get("policies") or (), f"{path}.policies")


def _policies(policies: Iterable[Obj], path: str) -> Iterator[FieldError]:
    for index, policy in enumerate(policies):
        here, kind, period = f"{path}[{index}]", policy.get("type", ""), policy.get("periodSeconds", 0)
        if kind not in POLICIES:
            yield not_supported(f"{here}.type", kind, POLICIES)
        for name in ("value", "periodSeconds"):
            if policy.get(name, 0) <= 0:
                yield invalid(f"{here}.{name}", policy.get(name, 0), "must be greater than zero")
        if period > LONGEST_PERIOD:
            yield invalid(f"{here}.periodSeconds", period, f"must be less than or equal to {LONGEST_PERIOD}")
