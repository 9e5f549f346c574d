"""From one version of a kind to another.

Custom resources convert as `strategy: None` says: only apiVersion changes. Of the built-in kinds Event lives in two
groups, which call its fields differently, and HorizontalPodAutoscaler in two versions, of which the old one knows no
metric but the use of CPU. Arguments are never changed; nothing is copied deeply.
"""

from typing import Any

Obj = dict[str, Any]

_EVENT_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_NAMES = {new: old for old, new in _EVENT_NAMES.items()}


def convert(obj: Obj, api_version: str) -> Obj:
    """Return the object in another version (the same one, when it is in that version already)."""
    found = obj.get("apiVersion")
    if found == api_version:
        return obj
    if obj.get("kind") == "Event" and {found, api_version} == {"v1", "events.k8s.io/v1"}:
        names = _EVENT_NAMES if found == "v1" else _CORE_NAMES
        return {**{names.get(key, key): value for key, value in obj.items()}, "apiVersion": api_version}
    if obj.get("kind") == "HorizontalPodAutoscaler" and {found, api_version} == {"autoscaling/v1", "autoscaling/v2"}:
        return _old_autoscaler(obj) if api_version == "autoscaling/v1" else _new_autoscaler(obj)
    return {**obj, "apiVersion": api_version}


def _old_autoscaler(obj: Obj) -> Obj:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    kept = {key: spec[key] for key in ("scaleTargetRef", "minReplicas", "maxReplicas") if key in spec}
    percentage = _cpu(spec.get("metrics"), "target")
    if percentage is not None:
        kept["targetCPUUtilizationPercentage"] = percentage
    shown = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    seen = {key: status[key] for key in shown if key in status}
    current = _cpu(status.get("currentMetrics"), "current")
    if current is not None:
        seen["currentCPUUtilizationPercentage"] = current
    return {**obj, "apiVersion": "autoscaling/v1", "spec": kept, "status": seen}


def _cpu(metrics: list[Obj] | None, part: str) -> int | None:
    for metric in metrics or []:
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu" and "averageUtilization" in (resource.get(part) or {}):
            return int(resource[part]["averageUtilization"])
    return None


def _new_autoscaler(obj: Obj) -> Obj:
    spec = dict(obj.get("spec") or {})
    status = dict(obj.get("status") or {})
    for source, place, part, name in (
        (spec, "metrics", "target", "targetCPUUtilizationPercentage"),
        (status, "currentMetrics", "current", "currentCPUUtilizationPercentage"),
    ):
        percentage = source.pop(name, None)
        if percentage is not None:
            kind = {"type": "Utilization"} if part == "target" else {}
            resource = {"name": "cpu", part: {**kind, "averageUtilization": percentage}}
            source[place] = [{"type": "Resource", "resource": resource}]
    return {**obj, "apiVersion": "autoscaling/v2", "spec": spec, "status": status}
