"""Create, update, patch and apply: from what was sent to what is stored.

All four end in the same two roads. A new object takes `_create`, a change of an existing one `_change`; both run

    decode, default → ownership → mutating webhooks → the kind's rules → validation → validating webhooks → store

Webhooks take time, in which others may write: a change starts again from the new state when its object moved (and
is a Conflict only when the request named a resourceVersion). A write that changes nothing stores nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api import conversion, meta
from sandbox.api.calls import Call
from sandbox.api.errors import (
    ApiError,
    Cause,
    Why,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    plain_failure,
)
from sandbox.api.resources import Resource
from sandbox.patch import apply, json_patch, managed, merge, strategic
from sandbox.patch.errors import BadPatch, Conflicts, DoesNotApply, NotTyped
from sandbox.schema import decode, defaults, validate
from sandbox.schema.errors import SchemaError, StrictFailure, WrongType
from sandbox.store.records import Record

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
Make = Callable[[Obj], Obj]  # the stored object (in the version asked for) → the object wanted instead

ATTEMPTS = 8


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
    obj = _decoded(server, call, resource, value, duplicates=duplicates)
    meta.refuse_resource_version(obj["metadata"])
    meta.settle_namespace(resource, obj["metadata"], namespace)
    now = server.clock.timestamp()
    node, strategy = server.catalog.node(resource), server.catalog.strategy(resource)
    if node is not None:
        entries = managed.track_update(
            None,
            obj,
            node=node,
            manager=call.manager,
            api_version=resource.api_version,
            now=now,
            foreign=strategy.foreign(None),
        )
        _set_managed(obj, entries)
    return await _create(server, call, resource, namespace, obj)


async def update(
    server: "Server", call: Call, target: Target, value: Any, *, duplicates: tuple[str, ...] = ()
) -> Written:
    """PUT: replace the object by what the body describes; some kinds are created where they are missing."""
    resource = target.resource
    obj = _decoded(server, call, resource, value, duplicates=duplicates)
    strategy = server.catalog.strategy(resource)
    _same_name(obj["metadata"], target.name)
    meta.settle_namespace(resource, obj["metadata"], target.namespace)
    record = server.find(resource, target.namespace, target.name)
    if record is None and strategy.put_creates and target.subresource is None:
        obj["metadata"].pop("resourceVersion", None)
        return await create(server, call, resource, target.namespace, obj)
    version, uid = obj["metadata"].get("resourceVersion"), obj["metadata"].get("uid")
    if record is not None and uid and uid != record.obj["metadata"]["uid"]:
        text = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {record.obj['metadata']['uid']}"
        raise conflict(resource, target.name, text)
    if record is not None and not version and not strategy.put_overwrites:
        text = "Invalid value: 0: must be specified for an update"
        raise invalid(resource, target.name, [Cause(Why.INVALID, "metadata.resourceVersion", text)])
    return await _change(server, call, target, lambda old: _own_copy(obj), version=version)


async def patch(server: "Server", call: Call, target: Target, patch_type: str, value: Any) -> Written:
    """PATCH with `patch_type` merge, json or strategic."""
    resource = target.resource
    node = server.catalog.node(resource)

    def patched(old: Obj) -> Obj:
        try:
            if patch_type == "merge":
                raw = merge.apply(old, value)
            elif patch_type == "json":
                raw = json_patch.apply(old, value)
            else:
                assert node is not None
                raw = strategic.apply(node, old, value)
        except BadPatch as error:
            raise bad_request(error.message) from error
        except DoesNotApply as error:
            raise ApiError(422, "Invalid", error.message, details={}) from error
        if not isinstance(raw, dict) or not isinstance(raw.get("metadata"), dict):
            raise bad_request("the patched object is no object with metadata")
        _same_name(raw["metadata"], target.name)
        if raw["metadata"].get("namespace") != old["metadata"].get("namespace"):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        return _decoded(server, call, resource, raw, patched=True)

    version = None
    if patch_type != "json" and isinstance(value, dict) and isinstance(value.get("metadata"), dict):
        version = value["metadata"].get("resourceVersion")
    return await _change(server, call, target, patched, version=version)


async def server_side_apply(server: "Server", call: Call, target: Target, value: Obj) -> Written:
    """PATCH with the apply type: merge by field ownership; creates what is missing (but not at a subresource)."""
    resource = target.resource
    _check_applied(resource, target, value)
    value = {**value, "metadata": {**(value.get("metadata") or {}), "name": target.name}}
    meta.settle_namespace(resource, value["metadata"], target.namespace)
    version = value["metadata"].pop("resourceVersion", None)
    if server.find(resource, target.namespace, target.name) is None:
        if target.subresource is not None:
            raise not_found(resource, target.name)
        _namespace_open(server, resource, target.namespace, target.name)
        merged = _merged(server, call, target, None, value)
        merged["metadata"].pop("uid", None)
        return await _create(server, call, resource, target.namespace, merged)
    return await _change(
        server, call, target, lambda old: _merged(server, call, target, old, value), version=version, applied=True
    )


def _check_applied(resource: Resource, target: Target, value: Obj) -> None:
    if not isinstance(value, dict):
        raise bad_request("error decoding YAML: the applied object must be an object")
    for key in ("apiVersion", "kind"):
        if not value.get(key):
            raise bad_request(f"invalid object type: Object '{'Kind' if key == 'kind' else 'apiVersion'}' is missing")
    if (value["apiVersion"], value["kind"]) != (resource.api_version, resource.kind):
        text = f"{value['apiVersion']}, Kind={value['kind']}"
        raise bad_request(f"invalid object type: {text} does not match {resource.api_version}, Kind={resource.kind}")
    metadata = value.get("metadata") or {}
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    _same_name(metadata, target.name, may_lack=True)


def _merged(server: "Server", call: Call, target: Target, old: Obj | None, value: Obj) -> Obj:
    resource = target.resource
    node = server.catalog.node(resource)
    if node is None:
        raise plain_failure(f"no schema for {resource.api_version}, Kind={resource.kind}")
    try:
        merged = apply.server_side_apply(
            old,
            value,
            node=node,
            manager=call.manager,
            api_version=resource.api_version,
            force=call.force,
            subresource=target.subresource,
            now=server.clock.timestamp(),
            foreign=server.catalog.strategy(resource).foreign(target.subresource),
        )
    except Conflicts as error:
        causes = [Cause(*cause) for cause in error.causes]
        raise ApiError(409, "Conflict", error.message, details={}, causes=causes) from error
    except NotTyped as error:
        raise plain_failure(error.message) from error
    except BadPatch as error:
        raise bad_request(error.message) from error
    return _decoded(server, call, resource, merged, patched=True, validation="Ignore")


async def _create(server: "Server", call: Call, resource: Resource, namespace: str | None, obj: Obj) -> Written:
    name = obj["metadata"].get("name") or ""
    _namespace_open(server, resource, namespace, name)
    node, strategy = server.catalog.node(resource), server.catalog.strategy(resource)
    context = server.context(call)
    target = Target(resource, namespace, name)
    mutated = await server.admission.mutate(call, target, obj, None)
    if mutated is not obj:
        obj = _decoded(server, call, resource, mutated, validation="Ignore")
    metadata = obj["metadata"]
    meta.fill_in(metadata, now=server.clock.timestamp())
    if call.dry_run:
        metadata.pop("resourceVersion", None)
    strategy.prepare_create(obj, context)
    if node is not None:
        defaults.apply(node, obj)
    causes = []
    if node is not None:
        causes += [Cause(*found) for found in validate.validate(node, obj, old=None)]
    causes += [Cause(*found) for found in strategy.validate(obj, context)]
    _raise_for(resource, metadata.get("name", ""), causes)
    await server.admission.validate(call, Target(resource, namespace, metadata["name"]), obj, None)
    _refuse_taken(server, resource, namespace, metadata["name"])
    _namespace_open(server, resource, namespace, metadata["name"])
    problems = strategy.allocate(obj, None, context)
    _raise_for(resource, metadata["name"], [Cause(*found) for found in problems])
    if call.dry_run:
        return Written(obj, created=True)
    record = server.store.put(resource.storage, conversion.convert(obj, resource.storage_api_version))
    return Written(server.shown(resource, record), record, created=True)


async def _change(
    server: "Server", call: Call, target: Target, make: Make, *, version: str | None, applied: bool = False
) -> Written:
    for _ in range(ATTEMPTS):
        record = server.find(target.resource, target.namespace, target.name)
        if record is None:
            raise not_found(target.resource, target.name)
        if version and version != record.obj["metadata"]["resourceVersion"]:
            raise conflict(target.resource, target.name)
        written = await _attempt(server, call, target, make, record, applied=applied)
        if written is not None:
            return written
    raise conflict(target.resource, target.name)


async def _attempt(
    server: "Server", call: Call, target: Target, make: Make, record: Record, *, applied: bool
) -> Written | None:
    """Carry one change out; None when somebody else wrote the object in the meantime."""
    resource, _, name, subresource = target
    strategy, context = server.catalog.strategy(resource), server.context(call)
    node = server.catalog.node(resource)
    old = server.shown(resource, record)
    obj = make(old)
    _same_version(resource, name, obj, old)
    meta.keep(obj["metadata"], old["metadata"])
    strategy.prepare_update(obj, old, context, subresource=subresource)
    if not applied and node is not None:
        entries = managed.track_update(
            old,
            obj,
            node=node,
            manager=call.manager,
            api_version=resource.api_version,
            subresource=subresource,
            now=server.clock.timestamp(),
            foreign=strategy.foreign(subresource),
        )
        _set_managed(obj, entries)
    mutated = await server.admission.mutate(call, target, obj, old)
    if mutated is not obj:
        obj = _decoded(server, call, resource, mutated, validation="Ignore")
        meta.keep(obj["metadata"], old["metadata"])
        strategy.prepare_update(obj, old, context, subresource=subresource)
    causes = [*meta.added_finalizers(obj["metadata"], old["metadata"])]
    if node is not None:
        causes += [Cause(*found) for found in validate.validate(node, obj, old=old)]
    causes += [Cause(*found) for found in strategy.validate_update(obj, old, context, subresource=subresource)]
    _raise_for(resource, name, causes)
    await server.admission.validate(call, target, obj, old)
    if server.find(resource, target.namespace, name) is not record:
        return None
    problems = strategy.allocate(obj, old, context)
    _raise_for(resource, name, [Cause(*found) for found in problems])
    if managed.same_but_times(old, obj):
        return Written(old, record)
    if call.dry_run:
        return Written(obj)
    return _store(server, resource, target, obj)


def _store(server: "Server", resource: Resource, target: Target, obj: Obj) -> Written:
    stored = conversion.convert(obj, resource.storage_api_version)
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp") and not metadata.get("deletionGracePeriodSeconds") and not held(obj):
        server.store.remove(resource.storage, target.namespace, target.name, last=stored)
        return Written(obj)
    record = server.store.put(resource.storage, stored)
    return Written(server.shown(resource, record), record)


def held(obj: Obj) -> bool:
    """Whether finalizers keep the object (a Namespace has some in its spec too)."""
    if obj["metadata"].get("finalizers"):
        return True
    return obj.get("kind") == "Namespace" and bool((obj.get("spec") or {}).get("finalizers"))


def _own_copy(obj: Obj) -> Obj:
    """A retried PUT must not see what its first attempt filled in."""
    return {**obj, "metadata": dict(obj["metadata"])}


def _decoded(
    server: "Server",
    call: Call,
    resource: Resource,
    value: Any,
    *,
    duplicates: tuple[str, ...] = (),
    patched: bool = False,
    validation: str | None = None,
) -> Obj:
    """Return the decoded and defaulted object; its warnings go to the call."""
    value = _typed(resource, value)
    node = server.catalog.node(resource)
    if node is None:
        return {**value, "metadata": dict(value.get("metadata") or {})}
    try:
        result = decode.decode(node, value, field_validation=validation or call.field_validation, duplicates=duplicates)
    except (WrongType, StrictFailure) as error:
        raise _refused(resource, value, error, patched=patched) from error
    call.warnings += result.warnings
    obj: Obj = result.obj
    obj.setdefault("metadata", {})
    defaults.apply(node, obj)
    return obj


def _typed(resource: Resource, value: Any) -> Obj:
    """Return the body with kind and apiVersion, which built-in kinds may leave out; 400 when they are others."""
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal {type(value).__name__} into an object of kind {resource.kind}")
    found = (value.get("apiVersion") or "", value.get("kind") or "")
    if resource.custom and not found[1]:
        raise bad_request("Object 'Kind' is missing in the body")
    if resource.custom and not found[0]:
        raise bad_request("Object 'apiVersion' is missing in the body")
    api_version, kind = found[0] or resource.api_version, found[1] or resource.kind
    if api_version != resource.api_version:
        text = f"the API version in the data ({api_version}) does not match the expected API version"
        raise bad_request(f"{text} ({resource.api_version})")
    if kind != resource.kind:
        text = f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise bad_request(f"{text}: converting ({api_version}.{kind}) to ({resource.api_version}.{resource.kind})")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise bad_request("json: cannot unmarshal metadata into an object of type ObjectMeta")
    return {**value, "apiVersion": api_version, "kind": kind, "metadata": metadata or {}}


def _refused(resource: Resource, value: Obj, error: SchemaError, *, patched: bool) -> ApiError:
    if not patched:
        return bad_request(error.message)
    name = (value.get("metadata") or {}).get("name", "")
    return invalid(resource, name, [Cause(Why.INVALID, "patch", f"Invalid value: {error.message}")])


def _set_managed(obj: Obj, entries: list[Obj]) -> None:
    obj["metadata"].pop("managedFields", None)
    if entries:
        obj["metadata"]["managedFields"] = entries


def _same_name(metadata: Obj, name: str, *, may_lack: bool = False) -> None:
    found = metadata.get("name")
    if not found and not may_lack:
        raise bad_request("name must be provided")
    if found and found != name:
        raise bad_request(f"the name of the object ({found}) does not match the name on the URL ({name})")


def _same_version(resource: Resource, name: str, obj: Obj, old: Obj) -> None:
    """409 when a patch sets another resourceVersion, or another uid."""
    version = obj["metadata"].get("resourceVersion")
    if version and version != old["metadata"]["resourceVersion"]:
        raise conflict(resource, name)
    uid = obj["metadata"].get("uid")
    if uid and uid != old["metadata"]["uid"]:
        text = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
        raise conflict(resource, name, text)


def _namespace_open(server: "Server", resource: Resource, namespace: str | None, name: str) -> None:
    """404 without the namespace, 403 when it is terminating."""
    if not resource.namespaced or namespace is None:
        return
    namespaces = server.resource("v1", "Namespace")
    record = server.find(namespaces, None, namespace)
    if record is None:
        raise not_found(namespaces, namespace)
    if record.obj["metadata"].get("deletionTimestamp"):
        text = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = Cause("NamespaceTerminating", "metadata.namespace", f"namespace {namespace} is being terminated")
        raise forbidden(resource, name, text, causes=[cause])


def _refuse_taken(server: "Server", resource: Resource, namespace: str | None, name: str) -> None:
    record = server.find(resource, namespace, name)
    if record is not None:
        deleting = record.obj["metadata"].get("deletionTimestamp")
        raise already_exists(resource, name, prefix="object is being deleted: " if deleting else "")


def _raise_for(resource: Resource, name: str, causes: list[Cause]) -> None:
    unique = list({(cause.reason, cause.field, cause.message): cause for cause in causes}.values())
    if unique:
        raise invalid(resource, name, unique)
