"""JSON patches (RFC 6902), with the API server's own ideas.

They differ from the RFC in one place that shows: `replace` of a key that a map does not have adds it. (`remove` of such
a key is refused, as it should be.)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.patch.errors import BadPatch, DoesNotApply
from sandbox.schema.node import Obj
from sandbox.schema.plain import copied

INDEX = re.compile(r"-?(0|[1-9]\d*)")


def apply(obj: Obj, operations: Any) -> Obj:
    """The patched object; neither argument is changed.

    Raises BadPatch when `operations` is no list of objects, DoesNotApply when one of them cannot be carried out.
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise BadPatch("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    document = copied(obj)
    for operation in operations:
        document = _apply(document, operation)
    if not isinstance(document, dict):
        raise DoesNotApply("the patch does not leave an object")
    return document


def _apply(document: Any, operation: Obj) -> Any:
    act = OPERATIONS.get(operation.get("op", ""))
    if act is None:
        raise DoesNotApply(f"Unexpected kind: {operation.get('op', 'unknown')}")
    return act(document, operation)


def _add(document: Any, operation: Obj) -> Any:
    return _put(document, _steps(operation, "path"), _value(operation), insert=True)


def _replace(document: Any, operation: Obj) -> Any:
    return _put(document, _steps(operation, "path"), _value(operation), insert=False)


def _remove(document: Any, operation: Obj) -> Any:
    steps = _steps(operation, "path")
    _get(document, steps, operation)
    parent = _parent(document, steps, operation)
    del parent[_position(parent, steps[-1], len(parent) - 1) if isinstance(parent, list) else steps[-1]]
    return document


def _move(document: Any, operation: Obj) -> Any:
    source, target = _steps(operation, "from"), _steps(operation, "path")
    value = _get(document, source, operation)
    document = _remove(document, {"op": "remove", "path": operation["from"]})
    return _put(document, target, value, insert=True)


def _copy(document: Any, operation: Obj) -> Any:
    value = copied(_get(document, _steps(operation, "from"), operation))
    return _put(document, _steps(operation, "path"), value, insert=True)


def _test(document: Any, operation: Obj) -> Any:
    steps = _steps(operation, "path")
    try:
        found = _get(document, steps, operation)
    except DoesNotApply:
        found = None  # an absent value equals null
    if found != _value(operation):
        raise DoesNotApply(f"testing value {operation.get('path')} failed: test failed")
    return document


OPERATIONS: dict[str, Callable[[Any, Obj], Any]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _value(operation: Obj) -> Any:
    return copied(operation.get("value"))


def _steps(operation: Obj, name: str) -> list[str]:
    path = operation.get(name)
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise DoesNotApply(f"{operation.get('op')} operation has no valid {name}: {path!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _position(items: list[Any], step: str, last: int) -> int:
    """The index that a step means. Negative indexes count from the end, as the API server's library has it."""
    if not INDEX.fullmatch(step):
        raise DoesNotApply(f'index "{step}" is no number')
    index = int(step)
    if index < 0:
        index += len(items)
    if not 0 <= index <= last:
        raise DoesNotApply(f"Unable to access invalid index: {step}")
    return index


def _child(parent: Any, step: str, operation: Obj) -> Any:
    if isinstance(parent, list):
        return parent[_position(parent, step, len(parent) - 1)]
    if isinstance(parent, dict) and step in parent:
        return parent[step]
    op, path = operation.get("op"), operation.get("path")
    raise DoesNotApply(f"{op} operation does not apply: doc is missing path: {path}: missing value")


def _get(document: Any, steps: list[str], operation: Obj) -> Any:
    for step in steps:
        document = _child(document, step, operation)
    return document


def _parent(document: Any, steps: list[str], operation: Obj) -> Any:
    if not steps:
        raise DoesNotApply(f"{operation.get('op')} operation does not apply to the whole document")
    return _get(document, steps[:-1], operation)


def _put(document: Any, steps: list[str], value: Any, *, insert: bool) -> Any:
    if not steps:
        return value
    operation = {"op": "add" if insert else "replace", "path": "/" + "/".join(steps)}
    parent, step = _parent(document, steps, operation), steps[-1]
    if isinstance(parent, dict):
        parent[step] = value
    elif isinstance(parent, list) and step == "-" and insert:
        parent.append(value)
    elif isinstance(parent, list) and insert:
        parent.insert(_position(parent, step, len(parent)), value)
    elif isinstance(parent, list):
        parent[_position(parent, step, len(parent) - 1)] = value
    else:
        raise DoesNotApply(f"{operation['op']} operation does not apply: doc is missing path: {operation['path']}")
    return document
