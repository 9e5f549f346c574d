"""From what was sent to an object of its kind: typed, decoded, defaulted.

Built-in kinds may leave kind and apiVersion out of a body (the URL says them), custom resources may not. A value of the
wrong type is 400 in a body and 422 in what a patch makes.
"""

from typing import TYPE_CHECKING, Any

from sandbox.api.calls import Call
from sandbox.api.errors import ApiError, bad_request, invalid, plain_failure
from sandbox.api.resources import Resource
from sandbox.schema import decode, defaults
from sandbox.schema.errors import FieldError, Reason, SchemaError, StrictFailure, WrongType

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]


def body(server: "Server", call: Call, resource: Resource, value: Any, *, duplicates: tuple[str, ...] = ()) -> Obj:
    """Return the object of a POST or PUT; it shares nothing with `value`. Its warnings go to the call."""
    value = _typed(resource, value)
    try:
        return _decoded(server, call, resource, value, call.field_validation, duplicates)
    except (WrongType, StrictFailure) as error:
        raise bad_request(error.message) from error


def patched(server: "Server", call: Call, resource: Resource, value: Any, *, validation: str | None = None) -> Obj:
    """Return the object that a patch, an apply or a webhook made."""
    value = _typed(resource, value)
    try:
        return _decoded(server, call, resource, value, validation or call.field_validation, ())
    except (WrongType, StrictFailure) as error:
        raise _unfit(resource, value, error) from error


def merged(server: "Server", call: Call, resource: Resource, value: Obj) -> Obj:
    """Return the object that an apply made; 500 when it has a value that its kind cannot read."""
    try:
        return _decoded(server, call, resource, _typed(resource, value), "Ignore", ())
    except WrongType as error:
        kind, meta = f"{resource.group}/{resource.version}, Kind={resource.kind}", value["metadata"]
        subject = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {kind}"
        raise plain_failure(
            f"failed to convert new object ({subject}) to proper version: "
            f"unable to convert unstructured object to {kind}: {error.__cause__}"
        ) from error


def _decoded(
    server: "Server", call: Call, resource: Resource, value: Obj, validation: str, duplicates: tuple[str, ...]
) -> Obj:
    node = server.catalog.node(resource)
    if node is None:
        return {**value, "metadata": dict(value["metadata"])}
    found = decode.decode(node, value, field_validation=validation, duplicates=duplicates)
    call.warnings += found.warnings
    obj: Obj = found.obj
    obj.setdefault("metadata", {})
    defaults.apply(node, obj)
    return obj


def _unfit(resource: Resource, value: Obj, error: SchemaError) -> ApiError:
    name = value["metadata"].get("name", "")
    return invalid(resource, name, [FieldError(Reason.INVALID, "patch", f"Invalid value: {error.message}")])


def _typed(resource: Resource, value: Any) -> Obj:
    """Return the body with kind and apiVersion; 400 when they are missing where they must not, or others."""
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal {type(value).__name__} into an object of kind {resource.kind}")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise bad_request("json: cannot unmarshal metadata into an object of type ObjectMeta")
    if resource.custom:
        _complete(value)
    api_version, kind = value.get("apiVersion") or resource.api_version, value.get("kind") or resource.kind
    if api_version != resource.api_version:
        text = f"the API version in the data ({api_version}) does not match the expected API version"
        raise bad_request(f"{text} ({resource.api_version})")
    if kind != resource.kind:
        text = f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise bad_request(f"{text}: converting ({api_version}.{kind}) to ({resource.api_version}.{resource.kind})")
    return {**value, "apiVersion": api_version, "kind": kind, "metadata": metadata or {}}


def _complete(value: Obj) -> None:
    for key, word in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not value.get(key):
            raise bad_request(f"Object '{word}' is missing in the body")


def applied(resource: Resource, name: str, value: Any) -> Obj:
    """Return an applied object with its name; 400 unless it says what it is, and that is what the URL says."""
    if not isinstance(value, dict):
        raise bad_request("error decoding YAML: the applied object must be an object")
    for key, word in (("apiVersion", "apiVersion"), ("kind", "Kind")):
        if not value.get(key):
            raise bad_request(f"invalid object type: Object '{word}' is missing")
    if (value["apiVersion"], value["kind"]) != (resource.api_version, resource.kind):
        text = f"{value['apiVersion']}, Kind={value['kind']}"
        raise bad_request(f"invalid object type: {text} does not match {resource.api_version}, Kind={resource.kind}")
    metadata = value.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise bad_request("error decoding YAML: metadata must be an object")
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    if metadata.get("name"):
        same_name(metadata, name)
    return {**value, "metadata": {**metadata, "name": name}}


def same_name(metadata: Obj, name: str) -> None:
    """Raise 400 when the object has no name, or another than the URL."""
    found = metadata.get("name")
    if not found:
        raise bad_request("name must be provided")
    if found != name:
        raise bad_request(f"the name of the object ({found}) does not match the name on the URL ({name})")
