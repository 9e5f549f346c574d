"""What differs between an object as it is and as it would be, field by field, with who wrote the present value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from meshflow.objects.reference import Obj
from meshflow.plan import ownership, paths
from meshflow.plan.digest import canonical
from meshflow.plan.model import Change
from meshflow.plan.ownership import Fields, Owner
from meshflow.plan.paths import Keyed, Path, Step, Valued
from meshflow.plan.prepare import comparable

MASK = "***"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ABSENT: Any = None


def between(live: Obj, after: Obj) -> tuple[Change, ...]:
    """The changes from `live` to `after`, in the order of the fields' names; empty when nothing would change.

    The server's own metadata and the status are not compared. Values of Secrets are masked.
    """
    live_owners = ownership.owners(live)
    fields = ownership.shape([*live_owners, *ownership.owners(after)])
    differences = _differences(comparable(live), comparable(after), fields, ())
    return tuple(attributed(path, old, new, live, live_owners) for path, old, new in differences)


def attributed(path: Path, old: Any, new: Any, live: Obj, owners: Sequence[Owner]) -> Change:
    """One change with its last writer, masked where it would show a secret."""
    if is_secret(live, path):
        old, new = (None if value is None else MASK for value in (old, new))
    writer = None if old is None else ownership.writer_of(owners, path)
    return Change(paths.text(path), old, new, writer.manager if writer else None, writer.time if writer else None)


def is_secret(obj: Obj, path: Path) -> bool:
    """Whether the field holds what must not be shown: a Secret's data, also in kubectl's copy of it."""
    if obj.get("kind") != "Secret":
        return False
    return path[:1] in (("data",), ("stringData",)) or _LAST_APPLIED in path or path == ("metadata", "annotations")


def ownership_changes(live: Obj, after: Obj, manager: str) -> str:
    """A sentence when `manager` would own other fields than now, though no value changes; else empty.

    Such a write matters: a field that we do not own can be changed by anybody without a conflict.
    """
    before = ownership.ours(ownership.owners(live), manager)
    then = ownership.ours(ownership.owners(after), manager)
    had = set(ownership.leaves(before.fields)) if before else set()
    will_have = set(ownership.leaves(then.fields)) if then else set()
    if had == will_have:
        moved = before is not None and then is not None and before.api_version != then.api_version
        return f"recorded as {then.api_version}" if moved and then else ""
    taken, given = len(will_have - had), len(had - will_have)
    parts = [f"takes up {taken} field{'s'[: taken != 1]}"] * bool(taken)
    parts += [f"gives up {given} field{'s'[: given != 1]}"] * bool(given)
    return " and ".join(parts) + ", values stay"


Difference = tuple[Path, Any, Any]


def _differences(old: Any, new: Any, fields: Fields, path: Path) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            below = fields.get(name, {})
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), below, (*path, name))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _in_lists(old, new, fields, path)
    elif _differ(old, new):
        yield path, old, new


def _in_lists(old: list[Any], new: list[Any], fields: Fields, path: Path) -> Iterator[Difference]:
    old_items, new_items = _named(old, fields), _named(new, fields)
    if old_items is None or new_items is None:
        if _differ(old, new):
            yield path, old, new
        return
    found = False
    for step in [*old_items, *(step for step in new_items if step not in old_items)]:
        below = fields.get(step, {})
        for difference in _differences(old_items.get(step), new_items.get(step), below, (*path, step)):
            found = True
            yield difference
    if not found and list(old_items) != list(new_items):
        yield path, [_label(step) for step in old_items], [_label(step) for step in new_items]


def _named(items: list[Any], fields: Fields) -> dict[Step, Any] | None:
    """The items by their steps; None for an atomic list or one whose items do not tell their keys."""
    names = ownership.list_keys(fields)
    if names:
        if all(isinstance(item, dict) for item in items):
            return {Keyed(tuple((name, item.get(name)) for name in names if name in item)): item for item in items}
        return None
    if ownership.is_set(fields):
        return {Valued(item): item for item in items if not isinstance(item, dict | list)}
    return None


def _label(step: Step) -> Any:
    match step:
        case Keyed(keys):
            return ", ".join(str(value) for _, value in keys)
        case Valued(value):
            return value
        case _:
            return step


def _differ(old: Any, new: Any) -> bool:
    """Also where Python's `==` says equal: True and 1 are two values in JSON."""
    return old != new or canonical(old) != canonical(new)
