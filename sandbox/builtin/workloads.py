"""Kinds that make pods: what counts as a new generation, and which parts of them are settled once."""

from __future__ import annotations

from sandbox.builtin.strategy import LABELS, SPEC, STATUS, Context, Obj, Path, Strategy, at
from sandbox.schema import errors
from sandbox.schema.errors import FieldError

ANNOTATIONS: Path = ("metadata", "annotations")
IMMUTABLE = "field is immutable"


class Workload(Strategy):
    """A kind with spec and status whose selector never changes."""

    counted: tuple[Path, ...] = (SPEC,)
    frozen: tuple[Path, ...] = (("spec", "selector"),)

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        return [
            errors.invalid(".".join(path), at(obj, path), IMMUTABLE)
            for path in self.frozen
            if at(obj, path) != at(old, path)
        ]


class Deployment(Workload):
    """Annotations count too; `/status` may change annotations (its controller writes the revision so), not labels."""

    status = {}
    counted = (SPEC, ANNOTATIONS)

    def foreign(self, subresource: str | None) -> tuple[Path, ...]:
        return (SPEC, LABELS) if subresource == "status" else (STATUS,)


class ReplicaSet(Workload):
    status = {"replicas": 0}


class StatefulSet(Workload):
    """Of its spec only replicas, ordinals, template, update strategy, retention and minReadySeconds may change."""

    status = {"replicas": 0, "availableReplicas": 0}
    free = frozenset(
        {
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        }
    )

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        if self._settled(obj) == self._settled(old):
            return []
        names = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit'"
        rest = "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"
        detail = f"updates to statefulset spec for fields other than {names}, {rest} are forbidden"
        return [errors.forbidden("spec", detail)]

    def _settled(self, obj: Obj) -> Obj:
        return {key: value for key, value in obj["spec"].items() if key not in self.free}


class DaemonSet(Workload):
    status = {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    }


class Job(Workload):
    """Without `manualSelector` the server makes the selector, and the labels it selects, from the uid."""

    status = {}
    frozen = ()  # what may not change depends on whether the Job is suspended: sandbox/schema has the rule

    def prepare_create(self, obj: Obj, context: Context) -> None:
        super().prepare_create(obj, context)
        spec, metadata = obj["spec"], obj["metadata"]
        if spec.get("manualSelector") or not metadata.get("uid"):
            return
        template = spec.setdefault("template", {})
        labels = (template.get("metadata") or {}).get("labels") or {}
        made = {
            "controller-uid": metadata["uid"],
            "batch.kubernetes.io/controller-uid": metadata["uid"],
            "job-name": metadata.get("name", ""),
            "batch.kubernetes.io/job-name": metadata.get("name", ""),
        }
        template["metadata"] = {**(template.get("metadata") or {}), "labels": {**labels, **made}}
        key = "batch.kubernetes.io/controller-uid"
        spec["selector"] = {"matchLabels": {key: metadata["uid"]}}

    def prepare_update(self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None) -> None:
        """A PUT of the manifest as it was sent leaves out what the server made: it keeps it."""
        spec, kept = obj.setdefault("spec", {}), old["spec"]
        if "selector" not in spec and "selector" in kept:
            spec["selector"] = kept["selector"]
        super().prepare_update(obj, old, context, subresource=subresource)


class CronJob(Strategy):
    status = {}
    counted = (SPEC,)


class DisruptionBudget(Strategy):
    status = {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}
    counted = (SPEC,)


class Autoscaler(Strategy):
    """It has a spec and counts no generation."""

    status = {"currentMetrics": None, "desiredReplicas": 0}
