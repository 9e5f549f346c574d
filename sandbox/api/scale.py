"""The scale subresource: an autoscaling/v1 Scale over an object, read and written.

A Scale is never stored. Writing one changes the replicas of the object behind it, as the subresource `scale`, so that
field managers are told apart.
"""

from typing import TYPE_CHECKING, Any

from sandbox.api import endpoints, replies, writing
from sandbox.api.calls import Call
from sandbox.api.errors import bad_request, internal, invalid, not_found
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource
from sandbox.api.routes import Route
from sandbox.api.writing import Target, Written
from sandbox.patch import json_patch, merge
from sandbox.patch.errors import PatchError
from sandbox.schema.errors import FieldError, Reason

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
_KIND = {"kind": "Scale", "apiVersion": "autoscaling/v1"}


def of(resource: Resource, obj: Obj) -> Obj:
    """Return the Scale of an object."""
    metadata = obj["metadata"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = _at(obj, _path(resource, "specReplicasPath", ".spec.replicas"))
    if replicas is None and resource.custom:
        raise internal(f'the spec replicas field "{_path(resource, "specReplicasPath", "")}" does not exist')
    status: Obj = {"replicas": _at(obj, _path(resource, "statusReplicasPath", ".status.replicas")) or 0}
    selector = _selector(resource, obj)
    if selector:
        status["selector"] = selector
    spec = {"replicas": replicas} if replicas else {}
    return {**_KIND, "metadata": {k: metadata[k] for k in shown if k in metadata}, "spec": spec, "status": status}


async def answer(server: "Server", request: Request, route: Route, resource: Resource) -> Reply:
    """GET, PUT and PATCH of a Scale."""
    assert route.name is not None
    record = server.find(resource, route.namespace, route.name)
    if record is None:
        raise not_found(resource, route.name)
    if request.method == "GET":
        return replies.json_reply(of(resource, server.shown(resource, record)))
    call = endpoints.call_of(request)
    target = Target(resource, route.namespace, route.name, "scale")
    wanted = _wanted(request, resource, of(resource, server.shown(resource, record)))
    written = await write(server, call, target, wanted)
    return replies.json_reply(of(resource, written.obj), warnings=call.warnings)


async def write(server: "Server", call: Call, target: Target, wanted: Obj) -> Written:
    """Set the replicas of the object behind a Scale."""
    replicas = (wanted.get("spec") or {}).get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(
            f"json: cannot unmarshal {replicas!r} into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(target.resource, target.name, [FieldError(Reason.INVALID, "spec.replicas", text)])
    path = _path(target.resource, "specReplicasPath", ".spec.replicas")
    patch: Obj = {}
    level = patch
    for key in path[:-1]:
        level[key] = {}
        level = level[key]
    level[path[-1]] = replicas
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version:
        patch["metadata"] = {"resourceVersion": version}
    return await writing.patch(server, call, target, "merge", patch)


def _wanted(request: Request, resource: Resource, present: Obj) -> Obj:
    if request.method == "PUT":
        value: Obj = request.parsed().value
        return value
    kind = endpoints.patch_type(request, resource)
    body = replies.parsed(request.body, yaml=True).value if kind == "apply" else replies.loose(request.body)
    bare = {**present, "metadata": {k: v for k, v in present["metadata"].items() if k != "resourceVersion"}}
    try:
        found = json_patch.apply(bare, body) if kind == "json" else merge.apply(bare, body)
    except PatchError as error:
        raise bad_request(error.message) from error
    return dict(found)


def _path(resource: Resource, name: str, default: str) -> list[str]:
    text = default
    if resource.definition is not None:
        version = next(v for v in resource.definition["versions"] if v["name"] == resource.version)
        text = version["subresources"]["scale"].get(name) or ""
    return [part for part in text.split(".") if part]


def _at(obj: Obj, path: list[str]) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if path else None


def _selector(resource: Resource, obj: Obj) -> str:
    if resource.custom:
        return str(_at(obj, _path(resource, "labelSelectorPath", "")) or "")
    found = obj["spec"].get("selector") or {}
    pairs = found.get("matchLabels", found if "matchExpressions" not in found else {}) or {}
    parts = [f"{key}={value}" for key, value in sorted(pairs.items())]
    for rule in found.get("matchExpressions") or []:
        values = f"({','.join(rule.get('values') or [])})"
        parts.append(
            {
                "In": f"{rule['key']} in {values}",
                "NotIn": f"{rule['key']} notin {values}",
                "Exists": rule["key"],
                "DoesNotExist": f"!{rule['key']}",
            }[rule["operator"]]
        )
    return ",".join(parts)
