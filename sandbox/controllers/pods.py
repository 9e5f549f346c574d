"""What controllers want to know about a pod."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.controllers import conditions

Obj = dict[str, Any]

FINISHED = frozenset({"Succeeded", "Failed"})


def phase(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def terminating(pod: Obj) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def active(pod: Obj) -> bool:
    """Neither finished nor being deleted: it counts as a replica."""
    return not terminating(pod) and phase(pod) not in FINISHED


def ready(pod: Obj) -> bool:
    return conditions.is_true(pod, "Ready")


def ready_for(pod: Obj, now: datetime) -> float:
    """Seconds since the pod became ready (whole ones, as timestamps are); -1 where it is not."""
    found = conditions.find((pod.get("status") or {}).get("conditions"), "Ready")
    if found is None or found["status"] != "True":
        return -1.0
    return (now - moment(found["lastTransitionTime"])).total_seconds()


def moment(timestamp: str) -> datetime:
    """A metav1.Time as an aware datetime."""
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def by_dispensability(found: list[Obj]) -> list[Obj]:
    """In the order of their deletion: without a node first, then pending, then not ready, then the youngest."""
    youngest_first = sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    return sorted(
        youngest_first, key=lambda pod: (bool(pod["spec"].get("nodeName")), phase(pod) == "Running", ready(pod))
    )


def from_template(template: Obj, owner: Obj, owner_reference: Obj, *, name: str | None = None) -> Obj:
    """A pod of this template for its controller; without a name the server makes one from the owner's."""
    meta = template.get("metadata") or {}
    metadata: Obj = {"namespace": owner["metadata"]["namespace"], "ownerReferences": [owner_reference]}
    metadata |= {key: dict(meta[key]) for key in ("labels", "annotations") if meta.get(key)}
    metadata |= {"finalizers": list(meta["finalizers"])} if meta.get("finalizers") else {}
    metadata |= {"name": name} if name else {"generateName": owner["metadata"]["name"] + "-"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}
