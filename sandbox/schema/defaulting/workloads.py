"""Deployments and their like, jobs, autoscalers."""

from __future__ import annotations

from typing import Any

from sandbox.schema.node import Obj

MAX_INT32 = 2**31 - 1
CONSTANTS: dict[str, dict[str, Any]] = {
    "DeploymentSpec": {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    },
    "ReplicaSetSpec": {"replicas": 1},
    "StatefulSetSpec": {
        "serviceName": "",
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {},
    },
    "StatefulSetPersistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "DaemonSetSpec": {"revisionHistoryLimit": 10},
    "JobSpec": {"completionMode": "NonIndexed", "suspend": False, "manualSelector": False},
    "PodFailurePolicyOnPodConditionsPattern": {"status": "True"},
    "CronJobSpec": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    },
    "HorizontalPodAutoscalerSpec": {"minReplicas": 1},
}
ROLLING: dict[str, Obj] = {
    "DeploymentStrategy": {"maxUnavailable": "25%", "maxSurge": "25%"},
    "StatefulSetUpdateStrategy": {"partition": 0},
    "DaemonSetUpdateStrategy": {"maxUnavailable": 1, "maxSurge": 0},
}
CPU_AT_80: Obj = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
ALL_IN_15_SECONDS: Obj = {"type": "Percent", "value": 100, "periodSeconds": 15}
FOUR_IN_15_SECONDS: Obj = {"type": "Pods", "value": 4, "periodSeconds": 15}


def _rolling(name: str) -> Any:
    """A StatefulSet that says no more than its type gets no parameters either."""
    defaults, lazy = ROLLING[name], name == "StatefulSetUpdateStrategy"

    def fill(strategy: Obj) -> None:
        given = "type" in strategy
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] != "RollingUpdate" or (given and lazy and "rollingUpdate" not in strategy):
            return
        strategy["rollingUpdate"] = {**defaults, **strategy.get("rollingUpdate", {})}

    return fill


def _job(spec: Obj) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", MAX_INT32 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")


def _job_labels(job: Obj) -> None:
    labels = ((job.get("spec") or {}).get("template") or {}).get("metadata", {}).get("labels")
    meta = job.setdefault("metadata", {})
    if labels and not meta.get("labels"):
        meta["labels"] = dict(labels)


def _claims(spec: Obj) -> None:
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.update(apiVersion="v1", kind="PersistentVolumeClaim")


def _autoscaler(spec: Obj) -> None:
    if not spec.get("metrics") and "targetCPUUtilizationPercentage" not in spec:
        spec["metrics"] = [{**CPU_AT_80, "resource": {**CPU_AT_80["resource"]}}]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    behavior["scaleUp"] = {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [dict(FOUR_IN_15_SECONDS), dict(ALL_IN_15_SECONDS)],
        **behavior.get("scaleUp", {}),
    }
    behavior["scaleDown"] = {
        "selectPolicy": "Max",
        "policies": [dict(ALL_IN_15_SECONDS)],
        **behavior.get("scaleDown", {}),
    }


RULES = {
    **{name: _rolling(name) for name in ROLLING},
    "StatefulSetSpec": _claims,
    "JobSpec": _job,
    "HorizontalPodAutoscalerSpec": _autoscaler,
}
AFTER = {"Job": _job_labels}
