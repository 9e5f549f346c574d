"""Create, update, patch and apply: from what was sent to what is stored.

All four end on one of two roads. A new object takes `_create`, a change of an existing one `_change`; both run

    decode, default → ownership → mutating webhooks → the kind's rules → validation → validating webhooks → store

Webhooks take time, in which others may write: a change starts again from the new state when its object moved (and
is a Conflict only when the request named a resourceVersion). A write that changes nothing stores nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api import conversion, decoding, guards, meta
from sandbox.api.calls import Call
from sandbox.api.errors import ApiError, bad_request, conflict, invalid, not_found, plain_failure
from sandbox.api.resources import Resource
from sandbox.patch import apply, json_patch, managed, merge, strategic
from sandbox.patch.errors import BadPatch, Conflicts, DoesNotApply, NotTyped
from sandbox.schema import defaults, validate
from sandbox.schema.errors import FieldError
from sandbox.store.records import Record

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
Make = Callable[[Obj], Obj]  # the stored object (in the version asked for) → the object wanted instead

ATTEMPTS = 8  # starts of a change whose object keeps moving


class Written(NamedTuple):
    """The outcome of a write: the object in the version asked for, and its record unless it was a dry run."""

    obj: Obj
    record: Record | None = None
    created: bool = False


class Target(NamedTuple):
    """What a write is about."""

    resource: Resource
    namespace: str | None
    name: str
    subresource: str | None = None


async def create(
    server: "Server",
    call: Call,
    resource: Resource,
    namespace: str | None,
    value: Any,
    *,
    duplicates: tuple[str, ...] = (),
) -> Written:
    """POST: create the object that the body describes."""
    obj = decoding.body(server, call, resource, value, duplicates=duplicates)
    meta.refuse_resource_version(obj["metadata"])
    meta.settle_namespace(resource, obj["metadata"], namespace)
    write = _Write(server, call, Target(resource, namespace, obj["metadata"].get("name") or ""))
    write.track(obj, None)
    return await _create(write, obj)


async def update(
    server: "Server", call: Call, target: Target, value: Any, *, duplicates: tuple[str, ...] = ()
) -> Written:
    """PUT: replace the object by what the body describes; some kinds are created where they are missing."""
    resource = target.resource
    obj = decoding.body(server, call, resource, value, duplicates=duplicates)
    metadata = obj["metadata"]
    decoding.same_name(metadata, target.name)
    meta.settle_namespace(resource, metadata, target.namespace)
    strategy = server.catalog.strategy(resource)
    if server.find(resource, target.namespace, target.name) is None:
        if not strategy.put_creates or target.subresource is not None:
            raise not_found(resource, target.name)
        metadata.pop("resourceVersion", None)
        return await create(server, call, resource, target.namespace, obj)
    if not strategy.put_overwrites:
        guards.version_given(resource, metadata)

    def fresh(old: Obj) -> Obj:  # a second attempt must not see what the first one filled in
        return {**obj, "metadata": dict(metadata)}

    return await _change(_Write(server, call, target), fresh)


async def patch(server: "Server", call: Call, target: Target, patch_type: str, value: Any) -> Written:
    """PATCH with `patch_type` merge, json or strategic."""
    resource = target.resource

    def patched(old: Obj) -> Obj:
        raw = _patched(server, resource, old, patch_type, value)
        decoding.same_name(raw["metadata"], target.name)
        if raw["metadata"].get("namespace") != old["metadata"].get("namespace"):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        return decoding.patched(server, call, resource, raw)

    version = None
    if patch_type != "json" and isinstance(value, dict) and isinstance(value.get("metadata"), dict):
        version = value["metadata"].get("resourceVersion")
    return await _change(_Write(server, call, target), patched, version=version)


def _patched(server: "Server", resource: Resource, old: Obj, patch_type: str, value: Any) -> Obj:
    node = server.catalog.node(resource)
    try:
        if patch_type == "merge":
            raw = merge.apply(old, value)
        elif patch_type == "json":
            raw = json_patch.apply(old, value)
        else:
            assert node is not None  # custom resources take no strategic merge patches: 415 before this
            raw = strategic.apply(node, old, value)
    except BadPatch as error:
        raise bad_request(error.message) from error
    except DoesNotApply as error:
        raise ApiError(422, "Invalid", error.message, details={}) from error
    if not isinstance(raw, dict) or not isinstance(raw.get("metadata"), dict):
        raise bad_request("the patched object is no object with metadata")
    return raw


async def server_side_apply(server: "Server", call: Call, target: Target, value: Any) -> Written:
    """PATCH with the apply type: merge by field ownership; creates what is missing (but not at a subresource)."""
    resource = target.resource
    value = decoding.applied(resource, target.name, value)
    meta.settle_namespace(resource, value["metadata"], target.namespace)
    version = value["metadata"].pop("resourceVersion", None)
    write = _Write(server, call, target)
    if server.find(resource, target.namespace, target.name) is None:
        if target.subresource is not None:
            raise not_found(resource, target.name)
        guards.namespace_open(server, resource, target.namespace, target.name)
        return await _create(write, write.merged(None, value))
    return await _change(write, lambda old: write.merged(old, value), version=version, applied=True)


async def _create(write: "_Write", obj: Obj) -> Written:
    server, call, resource, namespace = write.server, write.call, write.target.resource, write.target.namespace
    guards.namespace_open(server, resource, namespace, write.target.name)
    obj = await write.mutated(obj, None)
    metadata = obj["metadata"]
    meta.fill_in(metadata, now=server.clock.timestamp())
    write.prepare(obj, None)
    write.check(obj, None)
    write.target = Target(resource, namespace, metadata["name"])
    await server.admission.validate(call, write.target, obj, None)
    guards.name_free(server, resource, namespace, metadata["name"])
    guards.namespace_open(server, resource, namespace, metadata["name"])
    write.allocate(obj, None)
    if call.dry_run:
        return Written(obj, created=True)
    record = server.store.put(resource.storage, conversion.convert(obj, resource.storage_api_version), by=call.manager)
    return Written(server.shown(resource, record), record, created=True)


async def _change(write: "_Write", make: Make, *, version: str | None = None, applied: bool = False) -> Written:
    """Change an object, again when it moved meanwhile. `version` is a precondition; `applied`: owners are settled."""
    resource, namespace, name, _ = write.target
    for _ in range(ATTEMPTS):
        record = write.server.find(resource, namespace, name)
        if record is None:
            raise not_found(resource, name)
        if version and version != record.obj["metadata"]["resourceVersion"]:
            raise conflict(resource, name)
        written = await _attempt(write, make, record, applied=applied)
        if written is not None:
            return written
    raise conflict(resource, name)


async def _attempt(write: "_Write", make: Make, record: Record, *, applied: bool) -> Written | None:
    """Carry one change out; None when somebody else wrote the object in the meantime."""
    server, resource = write.server, write.target.resource
    old = server.shown(resource, record)
    obj = make(old)
    guards.same_object(resource, obj["metadata"], record)
    write.prepare(obj, old)
    if not applied:
        write.track(obj, old)
    mutated = await write.mutated(obj, old)
    if mutated is not obj:
        obj = mutated
        write.prepare(obj, old)
    write.check(obj, old)
    await server.admission.validate(write.call, write.target, obj, old)
    if server.find(resource, write.target.namespace, write.target.name) is not record:
        return None
    write.allocate(obj, old)
    if managed.same_but_times(old, obj):
        return Written(old, record)
    if write.call.dry_run:
        return Written(obj)
    return _store(write, obj)


def _store(write: "_Write", obj: Obj) -> Written:
    """Store a changed object, or let it go when nothing holds it any more."""
    server, target, by = write.server, write.target, write.call.manager
    resource, metadata = target.resource, obj["metadata"]
    stored = conversion.convert(obj, resource.storage_api_version)
    if metadata.get("deletionTimestamp") and not metadata.get("deletionGracePeriodSeconds") and not held(obj):
        server.store.remove(resource.storage, target.namespace, target.name, last=stored, by=by)
        return Written(obj)
    record = server.store.put(resource.storage, stored, by=by)
    return Written(server.shown(resource, record), record)


def held(obj: Obj) -> bool:
    """Whether finalizers keep the object (a Namespace has some in its spec too)."""
    if obj["metadata"].get("finalizers"):
        return True
    return obj.get("kind") == "Namespace" and bool((obj.get("spec") or {}).get("finalizers"))


class _Write:
    """One write on its way: the steps that both roads share."""

    def __init__(self, server: "Server", call: Call, target: Target) -> None:
        self.server, self.call, self.target = server, call, target
        self.node = server.catalog.node(target.resource)
        self.strategy = server.catalog.strategy(target.resource)
        self.context = server.context(call)

    def track(self, obj: Obj, old: Obj | None) -> None:
        """Note in managedFields what this write changes."""
        if self.node is None:
            return
        subresource = self.target.subresource
        entries = managed.track_update(
            old,
            obj,
            node=self.node,
            manager=self.call.manager,
            api_version=self.target.resource.api_version,
            subresource=subresource,
            now=self.server.clock.timestamp(),
            foreign=self.strategy.foreign(subresource),
        )
        obj["metadata"].pop("managedFields", None)
        if entries:
            obj["metadata"]["managedFields"] = entries

    def merged(self, old: Obj | None, value: Obj) -> Obj:
        """Return what applying `value` makes of `old`. Raises 409 for conflicts, 500 for what the schema lacks."""
        resource, subresource = self.target.resource, self.target.subresource
        if self.node is None:
            raise plain_failure(f"no schema for {resource.api_version}, Kind={resource.kind}")
        try:
            found = apply.server_side_apply(
                old,
                value,
                node=self.node,
                manager=self.call.manager,
                api_version=resource.api_version,
                force=self.call.force,
                subresource=subresource,
                now=self.server.clock.timestamp(),
                foreign=self.strategy.foreign(subresource),
            )
        except Conflicts as error:
            raise ApiError(409, "Conflict", error.message, details={}, causes=error.causes) from error
        except NotTyped as error:
            raise plain_failure(error.message) from error
        except BadPatch as error:
            raise bad_request(error.message) from error
        return decoding.merged(self.server, self.call, resource, found)

    async def mutated(self, obj: Obj, old: Obj | None) -> Obj:
        """Return the object as mutating webhooks leave it; the same one when they change nothing."""
        found = await self.server.admission.mutate(self.call, self.target, obj, old)
        if found is obj:
            return obj
        return decoding.patched(self.server, self.call, self.target.resource, found, validation="Ignore")

    def prepare(self, obj: Obj, old: Obj | None) -> None:
        """Let the kind fill in what the server decides, and put back what this endpoint does not write."""
        if old is not None:
            meta.keep(obj["metadata"], old["metadata"])
            self.strategy.prepare_update(obj, old, self.context, subresource=self.target.subresource)
            return
        self.strategy.prepare_create(obj, self.context)
        if self.node is not None:
            defaults.apply(self.node, obj)

    def check(self, obj: Obj, old: Obj | None) -> None:
        """Raise 422 with everything that is wrong."""
        causes = validate.validate(self.node, obj, old=old) if self.node is not None else []
        if old is None:
            causes += self.strategy.validate(obj, self.context)
        else:
            causes += meta.added_finalizers(obj["metadata"], old["metadata"])
            causes += self.strategy.validate_update(obj, old, self.context, subresource=self.target.subresource)
        self._refuse(obj, causes)

    def allocate(self, obj: Obj, old: Obj | None) -> None:
        """Give the object what only one may have. Nothing may await between this and the store."""
        self._refuse(obj, self.strategy.allocate(obj, old, self.context))

    def _refuse(self, obj: Obj, causes: list[FieldError]) -> None:
        unique = list(dict.fromkeys(causes))
        if unique:
            raise invalid(self.target.resource, obj["metadata"].get("name", ""), unique)
