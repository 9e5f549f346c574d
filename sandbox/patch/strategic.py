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
from sandbox.schema.node import DEDUCED, MISSING, Node, Obj
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
            return _bare(patch)  # type: ignore[no-any-return]
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
        else:
            _put(node.field(key) or DEDUCED, target, key, value)
    return target


def _put(node: Node, target: Obj, key: str, patch: Any) -> None:
    old = target.get(key)
    if isinstance(old, dict) and isinstance(patch, dict):
        target[key] = _bare(patch) if _has(node, "replace") else _merge_map(node, old, patch)
    elif isinstance(old, list) and isinstance(patch, list):
        target[key] = _merge_list(node, old, patch) if _has(node, "merge") else _bare(patch)
    else:
        target.pop(key, None)
        fresh = _fresh(patch)
        if fresh is not MISSING:
            target[key] = fresh


def _has(node: Node, strategy: str) -> bool:
    return strategy in node.patch_strategy.split(",")


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
        field = node.field(key) or DEDUCED
        if isinstance(target.get(key), list) or isinstance(patch.get(key), list):
            _merge_ordered(field, target, key, patch, order)


def _merge_ordered(node: Node, target: Obj, key: str, patch: Obj, order: list[Any]) -> None:
    if key in patch and patch[key] is None:
        return  # null removes the list, whatever the order
    change = patch.pop(key, None) or []
    _check_order(node, change, order)
    if not change and not target.get(key):
        raise BadPatch("no elements in any of the given slices")
    _delete_values(target, key, patch.pop(DELETE + key, []))
    if key not in target:
        target[key] = _arrange(node, _fresh(change), order, [])
        return
    old = target[key]
    merged = _merge_list(node, list(old), change) if _has(node, "merge") and change else list(old)
    target[key] = _arrange(node, merged, order, _remembered(node, old, merged))


def _remembered(node: Node, old: list[Any], merged: list[Any]) -> list[Any]:
    """The old order, as the API server remembers it.

    It deletes items in place and appends to the same array, so that for each deleted item the old list has a new one at
    its end: such new items come after the old ones, all others before them (kubernetes, strategicpatch, v1.36).
    """
    left = [item for item in old if _among(node, item, merged)]
    new = [item for item in merged if not _among(node, item, old)]
    return left + sorted(new, key=lambda item: _place(node, item, merged))[: len(old) - len(left)]


def _check_order(node: Node, change: list[Any], order: list[Any]) -> None:
    """The items of a patch must be in the order that the patch gives for the list."""
    names = iter([_name(node, item) for item in order])
    for item in change:
        if isinstance(item, dict) and PATCH in item:
            continue
        if _name(node, item) not in names:
            raise BadPatch(f"The order in patch list:\n{change}\n doesn't match {ORDER[:-1]} list:\n{order}\n")


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
            target.append(_bare(item))
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
    return (_bare(plain), []) if replace else (target, plain)


def _key(node: Node, item: Obj) -> Any:
    if node.patch_key not in item:
        raise BadPatch(f"map: {item} does not contain declared merge key: {node.patch_key}")
    return item[node.patch_key]


def _find(items: list[Any], key: str, value: Any) -> int | None:
    return next((index for index, item in enumerate(items) if item.get(key) == value), None)


def _name(node: Node, item: Any) -> Any:
    return item.get(node.patch_key) if isinstance(item, dict) else item


def _among(node: Node, item: Any, items: list[Any]) -> bool:
    return _place(node, item, items) < len(items)


def _place(node: Node, item: Any, items: list[Any]) -> int:
    """The position of the item of that name, or the number of items."""
    name = _name(node, item)
    return next((index for index, each in enumerate(items) if _name(node, each) == name), len(items))


def _arrange(node: Node, merged: list[Any], wanted: list[Any], old: list[Any]) -> list[Any]:
    """The merged items in order: `wanted` has the order of those it names, `old` that of the others."""
    named = [item for item in merged if _among(node, item, wanted)]
    others = [item for item in merged if not _among(node, item, wanted)]
    named.sort(key=lambda item: _place(node, item, wanted))
    others.sort(key=lambda item: _place(node, item, old))
    arranged: list[Any] = []
    while named and others:
        left, right = _place(node, others[0], old), _place(node, named[0], old)
        arranged.append((others if left < right < len(old) else named).pop(0))
    return arranged + named + others


def _fresh(value: Any) -> Any:
    """A value of the patch for a place where there is nothing yet: without nulls, and without maps that are directives.

    MISSING for such a map itself.
    """
    if isinstance(value, dict):
        if PATCH in value:
            return MISSING
        made = {key: _fresh(inner) for key, inner in value.items() if inner is not None and not key.startswith("$")}
        return {key: inner for key, inner in made.items() if inner is not MISSING}
    if isinstance(value, list):
        return [item for item in map(_fresh, value) if item is not MISSING]
    return value


def _bare(value: Any) -> Any:
    """A value of the patch that is taken whole, without nulls and directives. An item that says delete stays one."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items() if inner is not None and not key.startswith("$")}
    if isinstance(value, list):
        return [_bare(inner) for inner in value]
    return value
