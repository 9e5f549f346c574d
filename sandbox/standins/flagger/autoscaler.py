"""The HorizontalPodAutoscaler of the primary, made from the target's. Pure."""

from __future__ import annotations

import copy
from typing import Any

from sandbox.standins.flagger.spec import Canary

Obj = dict[str, Any]

_FOLLOWED = ("minReplicas", "maxReplicas", "metrics", "behavior")


def twin(canary: Canary, own: Obj) -> Obj:
    """The primary's autoscaler as it is first made."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": f"{own['metadata']['name']}-primary",
            "namespace": canary.namespace,
            "labels": dict(own["metadata"].get("labels") or {}),
            "ownerReferences": [canary.owner],
        },
        "spec": {"scaleTargetRef": {**own["spec"]["scaleTargetRef"], "name": canary.primary}, **_followed(canary, own)},
    }


def merged(canary: Canary, live: Obj, own: Obj) -> Obj | None:
    """The primary's autoscaler brought up to the target's; None when nothing is to be written."""
    wanted = _followed(canary, own)
    if {field: live["spec"].get(field) for field in wanted} == wanted:
        return None
    changed = copy.deepcopy(live)
    changed["spec"].update(wanted)
    return changed


def _followed(canary: Canary, own: Obj) -> Obj:
    overrides = (canary.autoscaler or {}).get("primaryScalerReplicas") or {}
    spec = {field: copy.deepcopy(own["spec"][field]) for field in _FOLLOWED if field in own["spec"]}
    return {**spec, **{field: overrides[field] for field in ("minReplicas", "maxReplicas") if field in overrides}}
