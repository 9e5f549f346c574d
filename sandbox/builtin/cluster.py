"""Kinds of the cluster itself, and the small ones: namespaces, nodes, events, leases, webhooks, definitions."""

from __future__ import annotations

from sandbox.builtin.strategy import SPEC, STATUS, Context, Obj, Path, Strategy
from sandbox.schema import errors
from sandbox.schema.errors import FieldError

NAME_LABEL = "kubernetes.io/metadata.name"


class Namespace(Strategy):
    """Active at birth, with the finalizer `kubernetes` in its spec and a label that nobody can take away.

    The finalizers of the spec are removed through `/finalize`; the last one gone, the store lets the object go.
    """

    status = {"phase": "Active"}

    def foreign(self, subresource: str | None) -> tuple[Path, ...]:
        if subresource == "status":
            return (SPEC,)
        if subresource == "finalize":
            return (STATUS,)
        return (STATUS, ("spec", "finalizers"))

    def prepare_create(self, obj: Obj, context: Context) -> None:
        super().prepare_create(obj, context)
        spec = obj["spec"] = dict(obj.get("spec") or {})
        if "kubernetes" not in (spec.get("finalizers") or ()):
            spec["finalizers"] = [*(spec.get("finalizers") or ()), "kubernetes"]
        label_with_name(obj)

    def prepare_update(self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None) -> None:
        super().prepare_update(obj, old, context, subresource=subresource)
        label_with_name(obj)


def label_with_name(obj: Obj) -> None:
    metadata = obj["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: metadata.get("name", "")}


class Node(Strategy):
    status = {}


class Claim(Strategy):
    status = {"phase": "Pending"}


class Counted(Strategy):
    """A kind that counts its spec and has no status."""

    counted = (SPEC,)


class CountedWithStatus(Strategy):
    status = {"loadBalancer": {}}
    counted = (SPEC,)


class Event(Strategy):
    """An event lives in the namespace of what it is about."""

    put_creates = True

    def validate(self, obj: Obj, context: Context) -> list[FieldError]:
        about = obj.get("involvedObject") or {}
        here, there = obj["metadata"].get("namespace") or "", about.get("namespace") or ""
        # What has no namespace is reported in `default`.
        if there == here or (not there and here == "default"):
            return []
        return [errors.invalid("involvedObject.namespace", there, "does not match event.namespace")]


class Lease(Strategy):
    put_creates = True

    def validate(self, obj: Obj, context: Context) -> list[FieldError]:
        found = []
        spec = obj.get("spec") or {}
        seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
        if seconds is not None and seconds <= 0:
            found.append(errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        if transitions is not None and transitions < 0:
            message = "must be greater than or equal to 0"
            found.append(errors.invalid("spec.leaseTransitions", transitions, message))
        return found

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        return self.validate(obj, context)


class Role(Strategy):
    put_creates = True


class RoleBinding(Strategy):
    """What is granted to whom is settled; only the subjects may change."""

    put_creates = True

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        if obj.get("roleRef") == old.get("roleRef"):
            return []
        return [errors.invalid("roleRef", obj.get("roleRef"), "cannot change roleRef")]


class WebhookConfiguration(Strategy):
    put_overwrites = False
    counted = (("webhooks",),)


class Definition(Strategy):
    put_overwrites = False
    counted = (SPEC,)
    status = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": None}


class EndpointSlice(Strategy):
    counted = (("endpoints",), ("ports",), ("metadata", "labels"))


class Payload(Strategy):
    """ConfigMaps and Secrets: `immutable: true` settles the content for good; a Secret's type is settled anyway."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def validate_update(
        self, obj: Obj, old: Obj, context: Context, *, subresource: str | None = None
    ) -> list[FieldError]:
        found = []
        if obj.get("type") != old.get("type"):
            found.append(errors.invalid("type", obj.get("type"), "field is immutable"))
        if not old.get("immutable"):
            return found
        detail = "field is immutable when `immutable` is set"
        if not obj.get("immutable"):
            found.append(errors.forbidden("immutable", detail))
        return found + [errors.forbidden(p, detail) for p in self.parts if obj.get(p) != old.get(p)]
