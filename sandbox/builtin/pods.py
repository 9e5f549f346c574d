"""Pods: what the server fills in, the few fields that may change, and the grace of their deletion."""

from __future__ import annotations

import copy

from sandbox.api.errors import ApiError
from sandbox.builtin.strategy import SPEC, STATUS, Context, Obj, Path, Strategy
from sandbox.schema import errors
from sandbox.schema.errors import FieldError

FINISHED = frozenset({"Succeeded", "Failed"})
TOLERATED_SECONDS = 300
CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


class Pod(Strategy):
    """Subresources: `binding` sets spec.nodeName (and the condition PodScheduled), `status` all the rest of status."""

    status = {"phase": "Pending"}
    counted = (SPEC,)

    def foreign(self, subresource: str | None) -> tuple[Path, ...]:
        if subresource == "binding":
            return ()
        if subresource == "status":
            return (SPEC, ("metadata", "ownerReferences"))
        return (STATUS,)

    def prepare_create(self, obj: Obj, context: Context) -> None:
        super().prepare_create(obj, context)
        spec = obj["spec"]
        service_account(obj, context)
        priority(spec, context)
        tolerate_node_trouble(spec)
        obj["status"]["qosClass"] = quality(spec)
        if spec.get("schedulingGates"):
            obj["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                    "lastProbeTime": None,
                    "lastTransitionTime": context.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            ]

    def prepare_update(self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None) -> None:
        super().prepare_update(obj, old, context, subresource=subresource)
        if subresource == "binding":
            obj["metadata"]["generation"] = old["metadata"].get("generation", 1)
        obj.setdefault("status", {}).setdefault("qosClass", old.get("status", {}).get("qosClass", "BestEffort"))

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        if subresource in ("binding", "ephemeralcontainers", "resize") or settled(obj) == settled(old):
            return []
        return [errors.forbidden("spec", CHANGEABLE)]

    def grace_period(self, obj: Obj, requested: int | None) -> int:
        spec, status = obj.get("spec", {}), obj.get("status", {})
        if not spec.get("nodeName") or status.get("phase") in FINISHED:
            return 0
        own = int(spec.get("terminationGracePeriodSeconds", 30))
        return own if requested is None else max(0, requested)


def settled(obj: Obj) -> Obj:
    """The part of a pod's spec that no update may change."""
    free = ("activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds")
    spec = {key: value for key, value in obj["spec"].items() if key not in free}
    for key in ("containers", "initContainers"):
        if key in spec:
            spec[key] = [{k: v for k, v in c.items() if k != "image"} for c in spec[key]]
    return spec


def service_account(obj: Obj, context: Context) -> None:
    """Pods run as `default` unless they say otherwise; the old field name mirrors the new one.

    Raises ApiError 403 where the account is not there. `default` is not asked for: it is on its way.
    """
    spec, metadata = obj["spec"], obj["metadata"]
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    namespace = metadata.get("namespace")
    if name != "default" and context.get("", "ServiceAccount", namespace, name) is None:
        looked = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        message = f'pods "{metadata.get("name", "")}" is forbidden: {looked}'
        raise ApiError(403, "Forbidden", message, details={"name": metadata.get("name", ""), "kind": "pods"})


def priority(spec: Obj, context: Context) -> None:
    """The number that belongs to the pod's priority class; 0 without one."""
    name = spec.get("priorityClassName")
    found = context.get("scheduling.k8s.io", "PriorityClass", None, name) if name else None
    spec["priority"] = (found or {}).get("value", 0)
    spec.setdefault("preemptionPolicy", (found or {}).get("preemptionPolicy", "PreemptLowerPriority"))


def tolerate_node_trouble(spec: Obj) -> None:
    """Every pod outlives five minutes of a node that is not ready or not reachable."""
    present = spec.get("tolerations") or []
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(t.get("key") in (key, None) and t.get("effect") in ("NoExecute", None) for t in present):
            toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
            present = [*present, {**toleration, "tolerationSeconds": TOLERATED_SECONDS}]
    spec["tolerations"] = copy.copy(present)


def quality(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort, from the requests and limits of cpu and memory of all containers."""
    containers = [*spec.get("containers", []), *(spec.get("initContainers") or [])]
    resources = [c.get("resources") or {} for c in containers]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    for limits, requests in ((r.get("limits") or {}, r.get("requests") or {}) for r in resources):
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"
