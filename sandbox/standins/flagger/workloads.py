"""The primary Deployment, made from the target, and when a Deployment counts as ready. Pure."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.standins.flagger import configs
from sandbox.standins.flagger.machine import READY, Readiness
from sandbox.standins.flagger.spec import Canary

Obj = dict[str, Any]

ID = "flagger-id"  # the annotation that makes every promotion a new template
TOOLKIT = "toolkit.fluxcd.io"  # metadata of Flux is never copied
SELECTOR_LABELS = ("app", "name", "app.kubernetes.io/name")  # the first of these in the selector is rewritten
_COPIED = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")


class NoSelectorLabel(Exception):
    """The Deployment's selector has none of the labels that Flagger rewrites."""


def selector_label(deployment: Obj, labels: tuple[str, ...] = SELECTOR_LABELS) -> tuple[str, str]:
    """The label (name, value) of the Deployment's selector that tells target and primary apart."""
    wanted = deployment["spec"]["selector"].get("matchLabels") or {}
    for label in labels:
        if label in wanted:
            return label, wanted[label]
    metadata = deployment["metadata"]
    name = f"{metadata['name']}.{metadata['namespace']}"
    raise NoSelectorLabel(
        f"deployment {name} spec.selector.matchLabels must contain one of [{' '.join(labels)}]",
    )


def first_primary(canary: Canary, target: Obj, keys: set[str], label: tuple[str, str], *, now: str) -> Obj:
    """The primary as it is first made."""
    replicas = target["spec"].get("replicas", 1) or 1
    name, value = label[0], f"{label[1]}-primary"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": canary.primary,
            "namespace": canary.namespace,
            "labels": {name: value},
            "annotations": _without_toolkit(target["metadata"].get("annotations") or {}),
            "ownerReferences": [canary.owner],
        },
        "spec": {
            **_settings(target),
            "replicas": replicas,
            "selector": {"matchLabels": {name: value}},
            "template": _template(canary, target, keys, label, now=now),
        },
    }


def promoted(canary: Canary, primary: Obj, target: Obj, keys: set[str], label: tuple[str, str], *, now: str) -> Obj:
    """The primary with the target's template. Its own labels and annotations are replaced, not merged."""
    made = copy.deepcopy(primary)
    made["metadata"]["annotations"] = {}
    made["metadata"]["labels"] = {label[0]: f"{label[1]}-primary"}
    made["spec"].update(_settings(target), template=_template(canary, target, keys, label, now=now))
    if canary.autoscaler is None:
        made["spec"]["replicas"] = target["spec"].get("replicas", 1)
    return made


def replicas_from_zero(canary: Canary, target: Obj, primary: Obj | None, autoscaler: Obj | None) -> int:
    """How many pods the target is scaled up to."""
    own = target["spec"].get("replicas") or 0
    if own > 0:
        return int(own)
    if canary.autoscaler is None:
        return int((primary or {}).get("spec", {}).get("replicas") or 1)
    return max(1, int((autoscaler or {}).get("spec", {}).get("minReplicas") or 1))


def readiness(deployment: Obj | None, name: str, *, deadline: float, percent: int, now: datetime) -> Readiness:
    """Whether the Deployment is rolled out; hopeless once it was unavailable for longer than `deadline` seconds.

    `deadline` is in real seconds, since it is held against timestamps.
    """
    if deployment is None:
        return Readiness(f'deployment {name} get query error: deployments.apps "{name.split(".")[0]}" not found')
    metadata, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    if metadata.get("generation", 0) > status.get("observedGeneration", 0):
        return Readiness("waiting for rollout to finish: observed deployment generation less than desired generation")
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    progressing, available = conditions.get("Progressing"), conditions.get("Available")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Readiness(f'deployment "{metadata["name"]}" exceeded its progress deadline', hopeless=True)
    hopeless = bool(progressing) and _overdue(available, deadline, now)
    updated, wanted = status.get("updatedReplicas", 0), spec.get("replicas", 1)
    if updated < wanted:
        text = f"{updated} out of {wanted} new replicas have been updated"
    elif status.get("replicas", 0) > updated:
        text = f"{status['replicas'] - updated} old replicas are pending termination"
    elif status.get("availableReplicas", 0) < (needed := updated * percent // 100):
        ready = status.get("availableReplicas", 0)
        text = f"{ready} of {needed} (readyThreshold {percent}%) updated replicas are available"
    else:
        return READY
    return Readiness(f"waiting for rollout to finish: {text}", hopeless)


def _overdue(available: Obj | None, deadline: float, now: datetime) -> bool:
    if not available or available["status"] != "False" or available.get("reason") != "MinimumReplicasUnavailable":
        return False
    since = datetime.fromisoformat(available["lastUpdateTime"].replace("Z", "+00:00"))
    return (now - since).total_seconds() > deadline


def _settings(target: Obj) -> Obj:
    return {field: copy.deepcopy(target["spec"][field]) for field in _COPIED if field in target["spec"]}


def _template(canary: Canary, target: Obj, keys: set[str], label: tuple[str, str], *, now: str) -> Obj:
    template = target["spec"]["template"]
    metadata = template.get("metadata") or {}
    unique = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{canary}/{target['metadata'].get('resourceVersion')}/{now}"))
    spec = configs.renamed(template["spec"], keys)
    _rename_own_affinity(spec, str(target["metadata"]["name"]))
    return {
        "metadata": {
            "labels": {**_without_toolkit(metadata.get("labels") or {}), label[0]: f"{label[1]}-primary"},
            "annotations": {**_without_toolkit(metadata.get("annotations") or {}), ID: unique},
        },
        "spec": spec,
    }


def _rename_own_affinity(spec: Obj, name: str) -> None:
    """Pods of the primary keep away from each other as those of the target do."""
    selectors = [c.get("labelSelector") for c in spec.get("topologySpreadConstraints") or ()]
    anti = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    soft = anti.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    selectors += [term["podAffinityTerm"].get("labelSelector") for term in soft]
    selectors += [t.get("labelSelector") for t in anti.get("requiredDuringSchedulingIgnoredDuringExecution") or ()]
    for selector in filter(None, selectors):
        labels = selector.get("matchLabels") or {}
        labels.update({key: f"{name}-primary" for key in SELECTOR_LABELS if labels.get(key) == name})
        for expression in selector.get("matchExpressions") or ():
            if expression["key"] in SELECTOR_LABELS and name in (expression.get("values") or ()):
                values = expression["values"]
                values[values.index(name)] = f"{name}-primary"


def _without_toolkit(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if TOOLKIT not in key}
