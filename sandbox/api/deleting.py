"""Delete and deletecollection: what is gone at once, what waits, and for what.

An object waits when finalizers hold it (those of the garbage collector included: `propagationPolicy` Foreground and
Orphan add theirs) or when its kind has a grace period. It then gets a deletionTimestamp, and goes with the write that
removes the last reason (`writing.held`).
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api.calls import Call, Deletion
from sandbox.api.errors import conflict, forbidden, not_found
from sandbox.api.resources import Resource
from sandbox.api.writing import Target, held
from sandbox.store.records import Record

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
DEFINITION_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
_ORPHANING = frozenset({("batch", "Job")})  # what batch/v1 keeps doing for old clients
_PRESERVED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


class Deleted(NamedTuple):
    """The outcome: the object's last or present state, and whether it is gone."""

    obj: Obj
    gone: bool


async def delete(server: "Server", call: Call, target: Target, options: Deletion) -> Deleted:
    """DELETE one object."""
    resource = target.resource
    while True:
        record = server.find(resource, target.namespace, target.name)
        if record is None:
            raise not_found(resource, target.name)
        _check_preconditions(resource, record, options)
        if resource.kind == "Namespace" and not resource.group and target.name in _IMMORTAL:
            raise forbidden(resource, target.name, "this namespace may not be deleted")
        await server.admission.validate(call, target, None, server.shown(resource, record))
        if server.find(resource, target.namespace, target.name) is record:
            return _carry_out(server, call, target, record, options)


def _carry_out(server: "Server", call: Call, target: Target, record: Record, options: Deletion) -> Deleted:
    resource, old = target.resource, record.obj
    strategy = server.catalog.strategy(resource)
    metadata = old["metadata"]
    if options.propagation is None and (resource.group, resource.kind) in _ORPHANING:
        options.propagation = "Orphan"
        call.warnings.append(_PRESERVED)
    finalizers = _finalizers(resource, old, options)
    grace = strategy.grace_period(old, options.grace)
    waiting = bool(metadata.get("deletionTimestamp"))
    if waiting:
        grace = min(grace, metadata.get("deletionGracePeriodSeconds") or 0)
    obj = {**old, "metadata": {**metadata}}
    if finalizers != (metadata.get("finalizers") or []):
        obj["metadata"]["finalizers"] = finalizers
        if not finalizers:
            del obj["metadata"]["finalizers"]
    if not held(obj) and grace == 0:
        if call.dry_run:
            return Deleted(server.shown(resource, record), gone=True)
        gone = server.store.remove(resource.storage, target.namespace, target.name, last=obj, by=call.manager)
        return Deleted(server.shown(resource, gone), gone=True)
    _mark(server, obj, grace, waiting=waiting)
    if obj == old or call.dry_run:
        return Deleted(server.shown(resource, Record(obj, record.version)), gone=False)
    stored = server.store.put(resource.storage, obj, by=call.manager)
    return Deleted(server.shown(resource, stored), gone=False)


def _mark(server: "Server", obj: Obj, grace: int, *, waiting: bool) -> None:
    metadata = obj["metadata"]
    if waiting and grace == (metadata.get("deletionGracePeriodSeconds") or 0):
        return
    due = server.clock.now() + timedelta(seconds=grace)
    metadata["deletionTimestamp"] = due.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata["deletionGracePeriodSeconds"] = grace
    if not waiting and metadata.get("generation"):
        metadata["generation"] += 1
    if obj.get("kind") == "Namespace":
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}


def _finalizers(resource: Resource, old: Obj, options: Deletion) -> list[str]:
    """Return the finalizers that the object has from now on."""
    found = list(old["metadata"].get("finalizers") or [])
    policy = options.propagation
    if policy is not None:
        found = [finalizer for finalizer in found if finalizer not in (FOREGROUND, ORPHAN)]
    if policy == "Foreground":
        found.append(FOREGROUND)
    elif policy == "Orphan":
        found.append(ORPHAN)
    if resource.kind == "CustomResourceDefinition" and DEFINITION_FINALIZER not in found:
        already = old["metadata"].get("deletionTimestamp")
        found += [] if already else [DEFINITION_FINALIZER]
    return found


def _check_preconditions(resource: Resource, record: Record, options: Deletion) -> None:
    metadata = record.obj["metadata"]
    for word, wanted, found in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != found:
            text = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}"
            raise conflict(resource, metadata["name"], text, kind=True)
