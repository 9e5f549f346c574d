"""Jobs, CronJobs, and the budgets of disruptions."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import pods
from sandbox.schema.rules.common import counts, immutable, int_or_percent, selector

COUNTED = (
    *("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"),
    *("backoffLimitPerIndex", "maxFailedIndexes"),
)
MODES = ("NonIndexed", "Indexed")
CONCURRENCY = ("Allow", "Forbid", "Replace")


def job(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    """A job's selector and labels are made by the server, so they are not judged here."""
    spec = obj.get("spec") or {}
    yield from _job(spec, "spec")
    yield from immutable(obj, old, "selector", "completionMode", "completions")
    if old is not None and not (old.get("spec") or {}).get("suspend"):
        yield from immutable(obj, old, "template")


def _job(spec: Obj, path: str) -> Iterator[FieldError]:
    yield from counts(spec, *COUNTED, path=path)
    mode = spec.get("completionMode")
    if mode not in MODES:
        yield not_supported(f"{path}.completionMode", mode, MODES)
    if mode == "Indexed" and "completions" not in spec:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if mode == "NonIndexed" and name in spec:
            yield invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
    yield from pods.template(spec.get("template"), f"{path}.template")
    yield from _restart_policy(spec, f"{path}.template.spec.restartPolicy")


def _restart_policy(spec: Obj, path: str) -> Iterator[FieldError]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy", "Always")
    if policy == "Always":
        yield required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in pods.RESTARTS:
        yield not_supported(path, policy, ("OnFailure", "Never"))


def cron_job(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if not spec.get("schedule"):
        yield required("spec.schedule")
    if spec.get("concurrencyPolicy") not in CONCURRENCY:
        yield not_supported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), CONCURRENCY)
    yield from counts(spec, "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    yield from _job((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def disruption_budget(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        yield from int_or_percent(spec.get(name), f"spec.{name}")
    yield from selector(spec.get("selector") or {}, "spec.selector")
