"""The two kinds of patches that a kustomization may hold: strategic merge, and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from meshflow.objects.reference import Obj
from meshflow.sources import schema

DIRECTIVE = "$patch"

Refuse = Callable[[str, tuple[str | int, ...]], Exception]
"""Makes the error for a problem at a path of the patch."""


def strategic(target: Obj, patch: Obj, *, refuse: Refuse) -> Obj | None:
    """`target` with `patch` merged in; None where the patch deletes the object.

    Maps are merged, null removes a field, and lists are merged by their key where Kubernetes has one for them (the
    containers of a pod: by name), else replaced. `$patch: replace|delete` are known, other directives are refused.
    """
    if patch.get(DIRECTIVE) == "delete":
        return None
    merged = _merge(target, patch, schema.of(target), (), refuse)
    return merged if isinstance(merged, dict) else None


def _merge(target: Any, patch: Any, shape: schema.Schema | None, path: tuple[str | int, ...], refuse: Refuse) -> Any:
    if isinstance(patch, dict):
        _refuse_unknown_directives(patch, path, refuse)
        if patch.get(DIRECTIVE) == "replace" or not isinstance(target, dict):
            return _bare(patch)
        return _merge_maps(target, patch, shape, path, refuse)
    if isinstance(patch, list) and isinstance(target, list) and (key := schema.merge_key(shape)):
        return _merge_lists(target, patch, key, shape, path, refuse)
    return copy.deepcopy(patch)


def _merge_maps(
    target: Obj, patch: Obj, shape: schema.Schema | None, path: tuple[str | int, ...], refuse: Refuse
) -> Obj:
    merged = dict(target)
    for name, value in patch.items():
        if name == DIRECTIVE:
            continue
        if value is None or (isinstance(value, dict) and value.get(DIRECTIVE) == "delete"):
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value, schema.field(shape, name), (*path, name), refuse)
    return merged


def _merge_lists(
    target: list[Any],
    patch: list[Any],
    key: str,
    shape: schema.Schema | None,
    path: tuple[str | int, ...],
    refuse: Refuse,
) -> list[Any]:
    merged = list(target)
    for number, item in enumerate(patch):
        here = (*path, number)
        if not isinstance(item, dict) or (key not in item and item.get(DIRECTIVE) != "replace"):
            raise refuse(f"an item of this list needs the field {key!r}", here)
        if item.get(DIRECTIVE) == "replace" and key not in item:
            return [_bare(entry) for entry in patch if entry.get(DIRECTIVE) != "replace"]
        same = [n for n, entry in enumerate(merged) if isinstance(entry, dict) and entry.get(key) == item[key]]
        if item.get(DIRECTIVE) == "delete":
            merged = [entry for n, entry in enumerate(merged) if n not in same]
        elif not same:
            merged.append(_bare(item))
        else:
            merged[same[0]] = _merge(merged[same[0]], item, schema.items(shape), here, refuse)
    return merged


def _bare(value: Any) -> Any:
    """A patch's value as it is stored: without directives and without fields that are null."""
    if isinstance(value, dict):
        return {name: _bare(entry) for name, entry in value.items() if name != DIRECTIVE and entry is not None}
    return [_bare(entry) for entry in value] if isinstance(value, list) else value


def _refuse_unknown_directives(patch: Obj, path: tuple[str | int, ...], refuse: Refuse) -> None:
    for name in patch:
        if name.startswith("$") and (name != DIRECTIVE or patch[name] not in ("replace", "delete", "merge")):
            raise refuse(
                f"the directive {name}: {patch[name]} is not supported; known is $patch: replace|delete|merge", path
            )


def json6902(target: Obj, operations: Sequence[Any], *, refuse: Refuse) -> Obj:
    """`target` after the operations of a JSON patch, in order."""
    document: Any = copy.deepcopy(target)
    for number, operation in enumerate(operations):
        if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
            raise refuse("an operation needs 'op' and 'path'", (number,))
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            text = f"{operation['op']} {operation['path']} does not fit the object: {error}"
            raise refuse(text, (number, "path")) from error
    result: Obj = document
    return result


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    verb, path = operation["op"], _pointer(operation["path"])
    if verb == "test":
        if _get(document, path) != operation["value"]:
            raise ValueError("the test failed")
    elif verb in ("add", "replace"):
        if verb == "replace":
            _get(document, path)
        _put(document, path, copy.deepcopy(operation["value"]), insert=verb == "add")
    elif verb == "remove":
        _remove(document, path)
    elif verb in ("move", "copy"):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_get(document, source))
        if verb == "move":
            _remove(document, source)
        _put(document, path, value, insert=True)
    else:
        raise ValueError(f"unknown operation {verb!r}")
    return document


def _pointer(text: str) -> list[str]:
    if not isinstance(text, str) or not text.startswith("/"):
        raise ValueError("a path begins with '/' and names a field")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _put(document: Any, path: list[str], value: Any, *, insert: bool) -> None:
    parent, last = _get(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif not insert:
        parent[int(last)] = value
    elif 0 <= int(last) <= len(parent):
        parent.insert(int(last), value)
    else:
        raise IndexError(f"the list has {len(parent)} items")


def _remove(document: Any, path: list[str]) -> None:
    parent, last = _get(document, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
