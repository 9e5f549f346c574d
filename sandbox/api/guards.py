"""What stands in the way of a write apart from the object itself: its namespace, its name, its version."""

from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError, already_exists, conflict, forbidden, invalid, not_found
from sandbox.api.resources import Resource
from sandbox.schema.errors import FieldError, Reason
from sandbox.store.records import Record

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]


def namespace_open(server: "Server", resource: Resource, namespace: str | None, name: str) -> None:
    """Raise 404 without the namespace, 403 when it is terminating."""
    if not resource.namespaced or namespace is None:
        return
    namespaces = server.resource("v1", "Namespace")
    record = server.find(namespaces, None, namespace)
    if record is None:
        raise not_found(namespaces, namespace)
    if record.obj["metadata"].get("deletionTimestamp"):
        text = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = FieldError("NamespaceTerminating", "metadata.namespace", f"namespace {namespace} is being terminated")
        raise forbidden(resource, name, text, causes=[cause])


def name_free(server: "Server", resource: Resource, namespace: str | None, name: str) -> None:
    """Raise 409 when there is such an object."""
    record = server.find(resource, namespace, name)
    if record is not None:
        deleting = record.obj["metadata"].get("deletionTimestamp")
        raise already_exists(resource, name, prefix="object is being deleted: " if deleting else "")


def version_given(resource: Resource, metadata: Obj) -> None:
    """Raise 422: this kind cannot be overwritten without a resourceVersion."""
    if not metadata.get("resourceVersion"):
        text = "Invalid value: 0: must be specified for an update"
        raise invalid(resource, metadata["name"], [FieldError(Reason.INVALID, "metadata.resourceVersion", text)])


def same_object(resource: Resource, metadata: Obj, record: Record) -> None:
    """Raise 409 when the object that is wanted names another uid or resourceVersion than the stored one."""
    found, name = record.obj["metadata"], str(record.obj["metadata"]["name"])
    uid = metadata.get("uid")
    if uid and uid != found["uid"]:
        raise _another(resource, name, uid, found["uid"])
    version = metadata.get("resourceVersion")
    if version and version != found["resourceVersion"]:
        raise conflict(resource, name)


def _another(resource: Resource, name: str, uid: str, found: str) -> ApiError:
    return conflict(resource, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}")
