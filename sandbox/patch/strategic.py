"""Strategic merge patches: merge patches that know the lists of the built-in kinds.

A list whose field has the strategy `merge` is merged: items by their merge key, scalars as a set. Everything else goes
as in a merge patch. Directives inside the patch change that:

    {"$patch": "replace" | "delete" | "merge"}   in a map or as an item of a list
    "$retainKeys": [keys]                        drops the siblings that are not named
    "$setElementOrder/FIELD": [items or keys]    the order of the merged list
    "$deleteFromPrimitiveList/FIELD": [values]   takes scalars out of a merged list

The order of a merged list is worth a sentence, since kubectl's patches depend on it. Items that the patch names come in
the patch's order, the others in their old order; the two are zipped together so that, of two items that both stood in
the old list, the one that stood first comes first, and otherwise the patch's item does. So new items come first, unless
$setElementOrder says where.
"""

from __future__ import annotations

from typing import Any

from sandbox.patch.errors import BadPatch
from sandbox.schema.node import DEDUCED, Node, Obj
from sandbox.schema.plain import copied

PATCH = "$patch"
RETAIN = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE = "$deleteFromPrimitiveList/"


def apply(node: Node, obj: Obj, patch: Any) -> Obj:
    """The patched object; neither argument is changed. Raises BadPatch."""
    if not isinstance(patch, dict):
        raise BadPatch("error decoding patch: a strategic merge patch must be a JSON object")
    return _merge_map(node, copied(obj), copied(patch))


def _merge_map(node: Node, target: Obj, patch: Obj) -> Obj:
    """Changes and returns `target`; consumes `patch`."""
    match patch.pop(PATCH, "merge"):
        case "replace":
            return patch
        case "delete":
            return {}
        case "merge":
            pass
        case other:
            raise BadPatch(f"unknown patch type: {other}")
    _retain(target, patch)
    _ordered_lists(node, target, patch)
    for key, value in patch.items():
        if key.startswith(DELETE):
            _delete_values(target, key.removeprefix(DELETE), value)
        elif value is None:
            target.pop(key, None)
        elif key not in target:
            target[key] = _plain(value)
        else:
            target[key] = _merge_value(node.field(key) or DEDUCED, target[key], value)
    return target


def _merge_value(node: Node, target: Any, patch: Any) -> Any:
    replace = "replace" in node.patch_strategy.split(",")
    if isinstance(target, dict) and isinstance(patch, dict) and not replace:
        return _merge_map(node, target, patch)
    if isinstance(target, list) and isinstance(patch, list) and _merges(node):
        return _merge_list(node, target, patch)
    return _plain(patch)


def _merges(node: Node) -> bool:
    return "merge" in node.patch_strategy.split(",")


def _retain(target: Obj, patch: Obj) -> None:
    if RETAIN not in patch:
        return
    keys = patch.pop(RETAIN)
    if not isinstance(keys, list):
        raise BadPatch(f"invalid patch format: {RETAIN} must be a list of keys")
    surplus = [key for key, value in patch.items() if not key.startswith("$") and value is not None and key not in keys]
    if surplus:
        raise BadPatch(f"{RETAIN} {keys} does not name {', '.join(surplus)}, which the patch sets")
    for key in [key for key in target if key not in keys]:
        del target[key]


def _ordered_lists(node: Node, target: Obj, patch: Obj) -> None:
    """Merge the lists that have an order of their own, and take them out of the patch."""
    for directive in [key for key in patch if key.startswith(ORDER)]:
        order, key = patch.pop(directive), directive.removeprefix(ORDER)
        if not isinstance(order, list):
            raise BadPatch(f"invalid patch format: {directive} must be a list")
        old, change = target.get(key), patch.get(key)
        if key in patch and change is None:
            continue  # null removes the list below, whatever the order
        field = node.field(key) or DEDUCED
        if not _merges(field) or not (isinstance(old, list) or isinstance(change, list)):
            continue
        patch.pop(key, None)
        _delete_values(target, key, patch.pop(DELETE + key, []))
        old = target.get(key) or []
        merged = _merge_list(field, list(old), change) if change else list(old)
        target[key] = _arrange(field, merged, order, old)


def _delete_values(target: Obj, key: str, values: Any) -> None:
    if not isinstance(values, list):
        raise BadPatch(f"invalid patch format: {DELETE}{key} must be a list")
    if values and isinstance(target.get(key), list):
        target[key] = [value for value in target[key] if value not in values]


def _merge_list(node: Node, target: list[Any], patch: list[Any]) -> list[Any]:
    if not any(isinstance(item, dict) for item in [*target, *patch]):
        merged = list(dict.fromkeys([*target, *patch]))
        return _arrange(node, merged, patch, target)
    if not node.patch_key:
        raise BadPatch("cannot merge lists without merge key")
    target, patch = _directives(node, target, patch)
    old = list(target)
    for item in patch:
        position = _find(target, node.patch_key, _key(node, item))
        if position is None:
            target.append(_plain(item))
        else:
            target[position] = _merge_map(node.items, target[position], item)
    return _arrange(node, target, patch, old)


def _directives(node: Node, target: list[Any], patch: list[Any]) -> tuple[list[Any], list[Any]]:
    """What is left to merge after the items of the patch that are directives."""
    plain: list[Any] = []
    replace = False
    for item in patch:
        if not isinstance(item, dict):
            raise BadPatch("invalid patch format: items of a merged list must be objects")
        directive = item.get(PATCH)
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            value = _key(node, item)
            target = [each for each in target if each.get(node.patch_key) != value]
        elif directive == "replace":
            replace = True
        else:
            raise BadPatch(f"{PATCH}: {directive} cannot be an item of a list")
    return ([_plain(item) for item in plain], []) if replace else (target, plain)


def _key(node: Node, item: Obj) -> Any:
    if node.patch_key not in item:
        raise BadPatch(f"map: {item} does not contain declared merge key: {node.patch_key}")
    return item[node.patch_key]


def _find(items: list[Any], key: str, value: Any) -> int | None:
    return next((index for index, item in enumerate(items) if item.get(key) == value), None)


def _arrange(node: Node, merged: list[Any], wanted: list[Any], old: list[Any]) -> list[Any]:
    """The merged items in order: `wanted` has the order of those it names, `old` that of the others."""

    def name(item: Any) -> Any:
        found = item.get(node.patch_key) if isinstance(item, dict) else item
        return str(found) if isinstance(found, dict | list) else found  # a key of the wrong type is refused later

    order = {name(item): index for index, item in reversed(list(enumerate(wanted)))}
    place = {name(item): index for index, item in reversed(list(enumerate(old)))}
    named = sorted((item for item in merged if name(item) in order), key=lambda item: order[name(item)])
    others = sorted(
        (item for item in merged if name(item) not in order), key=lambda item: place.get(name(item), len(place))
    )
    arranged: list[Any] = []
    while named and others:
        left, right = place.get(name(others[0])), place.get(name(named[0]))
        first = left is not None and right is not None and left < right
        arranged.append((others if first else named).pop(0))
    return arranged + named + others


def _plain(value: Any) -> Any:
    """A value of the patch for a place where there is nothing yet: without nulls and directives."""
    if isinstance(value, dict):
        if value.get(PATCH) == "delete":
            return {}
        return {key: _plain(inner) for key, inner in value.items() if inner is not None and not key.startswith("$")}
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, dict) and PATCH in item)]
        return [_plain(item) for item in kept]
    return value
