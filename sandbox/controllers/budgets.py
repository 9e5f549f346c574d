"""PodDisruptionBudgets: how many pods may be away; and claims of storage, which are always granted."""

from __future__ import annotations

import math
from typing import Any

from sandbox import selectors
from sandbox.controllers import conditions, pods
from sandbox.controllers.base import Controller, Key, Watched

Obj = dict[str, Any]


BATCH = 0.05  # seconds in which changes of pods are gathered into one write


class Budgets(Controller):
    """A pod wakes the budgets of its namespace that select it, when its readiness or labels change."""

    watches = (Watched("policy/v1", "PodDisruptionBudget"), Watched("v1", "Pod", lambda pod: ()))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._selectors: dict[Key, Obj] = {}
        self._pods: dict[Key, tuple[Any, ...]] = {}

    def seen(self, row: Watched, obj: Obj) -> None:
        key = Key(obj["metadata"]["namespace"], obj["metadata"]["name"])
        if row.kind != "Pod":
            self._selectors[key] = obj["spec"].get("selector") or {}
            return
        facts = (selectors.labels_of(obj), pods.ready(obj), pods.active(obj))
        if self._pods.get(key) != facts:
            self._pods[key] = facts
            self._wake_those_of(obj)

    def lost(self, row: Watched, obj: Obj) -> None:
        key = Key(obj["metadata"]["namespace"], obj["metadata"]["name"])
        if row.kind == "Pod":
            self._pods.pop(key, None)
            self._wake_those_of(obj)
        else:
            self._selectors.pop(key, None)

    def _wake_those_of(self, pod: Obj) -> None:
        namespace, labels = pod["metadata"]["namespace"], selectors.labels_of(pod)
        for key, selector in self._selectors.items():
            if key.namespace == namespace and selectors.matches(selector, labels):
                self.wake(*key, after=BATCH)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        budget = await self.client.get("policy/v1", "PodDisruptionBudget", name, namespace)
        if budget is None:
            return None
        listed = await self.client.list("v1", "Pod", namespace)
        selector = budget["spec"].get("selector")
        own = [p for p in listed if selectors.matches(selector, selectors.labels_of(p)) and pods.active(p)]
        status = self._status(budget, expected=len(own), healthy=sum(map(pods.ready, own)))
        if status != budget.get("status"):
            await self.client.update({**budget, "status": status}, subresource="status")
        return None

    def _status(self, budget: Obj, *, expected: int, healthy: int) -> Obj:
        desired = wanted(budget["spec"], expected)
        allowed = max(0, healthy - desired) if expected else 0
        reason = "SufficientPods" if allowed else "InsufficientPods"
        word, before = "True" if allowed else "False", (budget.get("status") or {}).get("conditions") or []
        found = conditions.put(before, "DisruptionAllowed", word, now=self.clock.timestamp(), reason=reason, message="")
        generation = budget["metadata"]["generation"]
        return {
            "observedGeneration": generation,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
            "conditions": [{**c, "observedGeneration": generation} for c in found],
        }


def wanted(spec: Obj, expected: int) -> int:
    """How many pods must stay healthy; percentages count from the expected ones."""
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - _amount(spec["maxUnavailable"], expected))
    return _amount(spec.get("minAvailable", 1), expected)


def _amount(value: int | str, whole: int) -> int:
    return math.ceil(whole * int(value[:-1]) / 100) if isinstance(value, str) else value


class Claims(Controller):
    """Binds each PersistentVolumeClaim as if there were a provisioner with endless disks."""

    watches = (Watched("v1", "PersistentVolumeClaim"),)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        claim = await self.client.get("v1", "PersistentVolumeClaim", name, namespace)
        if claim is None or (claim.get("status") or {}).get("phase") == "Bound":
            return None
        size = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "1Gi")
        status = {
            "phase": "Bound",
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": {"storage": size},
        }
        await self.client.update({**claim, "status": status}, subresource="status")
        return None
