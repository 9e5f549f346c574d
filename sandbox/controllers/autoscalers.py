"""HorizontalPodAutoscalers, on a measure that somebody sets: there is nothing to measure in a sandbox.

`load[namespace, target name]` is what all pods of a target use together, in per cent of one pod's request: 320 are two
pods at 160 % or four at 80 %. Without an entry they use just what the autoscaler wants, so that only its bounds count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from sandbox.controllers import conditions, events
from sandbox.controllers.base import Controller, Key, Watched

Obj = dict[str, Any]

API = "autoscaling/v2"
WORDS = {"Resource": "resource", "ContainerResource": "containerResource"}
BATCH = 0.05  # seconds in which changes of a target are gathered into one look


class Autoscalers(Controller):
    watches = (Watched(API, "HorizontalPodAutoscaler"), Watched("apps/v1", "Deployment", lambda obj: ()))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorder = events.Recorder(self.client, self.clock, "horizontal-pod-autoscaler")
        self.load: dict[tuple[str, str], float] = {}
        self._targets: dict[Key, Key] = {}  # autoscaler → target

    def measure(self, namespace: str, target: str, percent: float | None) -> None:
        """Set, or with None forget, the load of a target."""
        if percent is None:
            self.load.pop((namespace, target), None)
        else:
            self.load[namespace, target] = percent
        self._wake_those_of(Key(namespace, target))

    def seen(self, row: Watched, obj: Obj) -> None:
        key = Key(obj["metadata"]["namespace"], obj["metadata"]["name"])
        if row.kind == "Deployment":
            self._wake_those_of(key)
        else:
            self._targets[key] = Key(key.namespace, obj["spec"]["scaleTargetRef"]["name"])

    def lost(self, row: Watched, obj: Obj) -> None:
        if row.kind != "Deployment":
            self._targets.pop(Key(obj["metadata"]["namespace"], obj["metadata"]["name"]), None)

    def _wake_those_of(self, target: Key) -> None:
        for autoscaler, wanted in self._targets.items():
            if wanted == target:
                self.wake(*autoscaler, after=BATCH)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        hpa = await self.client.get(API, "HorizontalPodAutoscaler", name, namespace)
        if hpa is None or namespace is None:
            return None
        reference = hpa["spec"]["scaleTargetRef"]
        target = await self.client.get(reference["apiVersion"], reference["kind"], reference["name"], namespace)
        if target is None:
            await self._write(hpa, *self._without_target(hpa))
            return None
        current = int(target["spec"].get("replicas", 1))
        if current == 0:
            await self._write(hpa, *self._disabled(hpa))
            return None
        load = self.load.get((namespace, reference["name"]), current * goal(hpa))
        raw = math.ceil(load / goal(hpa))
        wanted = max(hpa["spec"].get("minReplicas", 1), min(hpa["spec"]["maxReplicas"], raw))
        if wanted != current:
            await self._scale(hpa, target, wanted)
        observed = int((target.get("status") or {}).get("replicas", 0))
        await self._write(hpa, *self._active(hpa, observed, raw, wanted, load / current))
        return None

    async def _scale(self, hpa: Obj, target: Obj, wanted: int) -> None:
        where = (target["apiVersion"], target["kind"], target["metadata"]["name"], target["metadata"]["namespace"])
        await self.client.patch(*where, {"spec": {"replicas": wanted}}, subresource="scale")
        more = wanted > target["spec"].get("replicas", 1)
        why = "cpu resource utilization (percentage of request) above target" if more else "All metrics below target"
        self.recorder.normal(hpa, "SuccessfulRescale", f"New size: {wanted}; reason: {why}")

    def _without_target(self, hpa: Obj) -> tuple[list[Obj], Obj]:
        message = "the HPA controller was unable to get the target's current scale"
        return self._conditions(hpa, ("AbleToScale", "False", "FailedGetScale", message)), {}

    def _disabled(self, hpa: Obj) -> tuple[list[Obj], Obj]:
        able = (
            "AbleToScale",
            "True",
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
        )
        why = "scaling is disabled since the replica count of the target is zero"
        return self._conditions(hpa, able, ("ScalingActive", "False", "ScalingDisabled", why)), {}

    def _active(self, hpa: Obj, observed: int, raw: int, wanted: int, used: float) -> tuple[list[Obj], Obj]:
        able = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
        valid = "the HPA was able to successfully calculate a replica count from cpu resource utilization"
        active = ("ScalingActive", "True", "ValidMetricFound", valid)
        limited = ("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range")
        if raw != wanted:
            reason, bound = ("TooFewReplicas", "less than") if raw < wanted else ("TooManyReplicas", "more than")
            limit = "minimum" if raw < wanted else "maximum"
            limited = (
                "ScalingLimited",
                "True",
                reason,
                f"the desired replica count is {bound} the {limit} replica count",
            )
        metrics = [
            {"type": kind, word: {**named(found), "current": current(found, used)}}
            for kind, word, found in resources(hpa)
        ]
        counts: Obj = {"currentReplicas": observed, "desiredReplicas": wanted, "currentMetrics": metrics}
        return self._conditions(hpa, able, active, limited), counts

    def _conditions(self, hpa: Obj, *rows: tuple[str, str, str, str]) -> list[Obj]:
        found = (hpa.get("status") or {}).get("conditions") or []
        for kind, status, reason, message in rows:
            found = conditions.put(found, kind, status, now=self.clock.timestamp(), reason=reason, message=message)
        return found

    async def _write(self, hpa: Obj, found: list[Obj], counts: Obj) -> None:
        before = hpa.get("status") or {}
        status = {"currentMetrics": None, "desiredReplicas": 0, **counts, "conditions": found}
        status = {key: value for key, value in status.items() if value not in (None, [])}
        if counts.get("desiredReplicas", 0) != before.get("desiredReplicas", 0) and counts:
            status["lastScaleTime"] = self.clock.timestamp()
        elif "lastScaleTime" in before:
            status["lastScaleTime"] = before["lastScaleTime"]
        if status != {key: value for key, value in before.items() if value is not None}:
            await self.client.update({**hpa, "status": status}, subresource="status")


def resources(hpa: Obj) -> Iterator[tuple[str, str, Obj]]:
    """(type, its field, what stands there) of each metric about a resource of the pods or of one container in them."""
    for metric in hpa["spec"].get("metrics") or ():
        word = WORDS.get(metric.get("type"))
        if word and metric.get(word):
            yield metric["type"], word, metric[word]


def named(found: Obj) -> Obj:
    """Which resource, and of which container."""
    return {key: found[key] for key in ("name", "container") if key in found}


def goal(hpa: Obj) -> float:
    """The first target utilisation in per cent; 80 where there is none."""
    targets = (found.get("target") or {} for _, _, found in resources(hpa))
    return float(next((t["averageUtilization"] for t in targets if t.get("averageUtilization")), 80))


def current(found: Obj, used: float) -> Obj:
    """The measured value of one metric, in the terms of its target."""
    target = found["target"]
    if target.get("averageUtilization"):
        return {"averageUtilization": round(used), "averageValue": f"{round(used)}m"}
    return {"averageValue": target.get("averageValue", "0")}
