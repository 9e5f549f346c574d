"""metadata.managedFields: who set which field, as entries of an object and as something to reckon with.

A manager is told from others by its name, its operation, the subresource it wrote to and, for updates, the apiVersion
it wrote in. (An apply in a newer version replaces the entry of the older one.) The time of an entry is that of the
write that last gave it fields; it is no part of who it is.

An update (POST, PUT, PATCH) never conflicts: what it changes or adds becomes its own and nobody else's, what it removes
nobody owns. A write that changes nothing takes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from sandbox.patch import typed
from sandbox.patch.fieldset import Set, difference, intersection, ordered, union, without
from sandbox.schema import zeros
from sandbox.schema.node import Node, Obj

APPLY, UPDATE = "Apply", "Update"
BEFORE_APPLY = "before-first-apply"
ANCIENT = "ancient-changes"
UPDATE_LIMIT = 10
"""Entries of updates that an object keeps; the oldest beyond that are put together into one of ANCIENT."""

PARTS = ("metadata", "spec", "status")
UNOWNED = ("apiVersion", "kind", "metadata")
UNOWNED_METADATA = (
    *("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation"),
    *("managedFields", "resourceVersion"),
)
STRIPPED: Set = {f"f:{name}": {} for name in UNOWNED}
STRIPPED["f:metadata"] = {".": {}, **{f"f:{name}": {} for name in UNOWNED_METADATA}}


class Manager(NamedTuple):
    """One who owns fields."""

    name: str
    operation: str
    api_version: str  # "" for an apply
    subresource: str

    def __str__(self) -> str:
        """As conflicts name it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True)
class Owned:
    """What one manager owns, the apiVersion it last wrote in, and when that was (None where nobody knows)."""

    fields: Set
    api_version: str
    time: str | None


Managers = dict[Manager, Owned]


def manager_of(name: str, operation: str, api_version: str, subresource: str | None) -> Manager:
    """The manager that a write is by."""
    return Manager(name, operation, "" if operation == APPLY else api_version, subresource or "")


def decode(entries: Iterable[Obj] | None) -> Managers:
    """The managers of an object. Entries that nobody can read (no fields, another format) are forgotten."""
    found: Managers = {}
    for entry in entries or ():
        if entry.get("fieldsType") != "FieldsV1" or not isinstance(entry.get("fieldsV1"), dict):
            continue
        version = entry.get("apiVersion", "")
        who = manager_of(entry.get("manager", ""), entry.get("operation", ""), version, entry.get("subresource"))
        found[who] = Owned(entry["fieldsV1"], version, entry.get("time"))
    return found


def encode(managers: Managers) -> list[Obj]:
    """The entries in the API server's order: applies before updates, then by time and name."""
    return [_entry(who, owned) for who, owned in sorted(managers.items(), key=_order)]


def _order(item: tuple[Manager, Owned]) -> tuple[str, ...]:
    who, owned = item
    return who.operation, owned.time or "", who.name, owned.api_version, who.subresource


def _entry(who: Manager, owned: Owned) -> Obj:
    entry = {"manager": who.name, "operation": who.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    made: Obj = {**entry, "fieldsType": "FieldsV1", "fieldsV1": ordered(owned.fields)}
    if who.subresource:
        made["subresource"] = who.subresource
    return made


def entries_of(obj: Obj | None) -> list[Obj] | None:
    """The managedFields of an object as they are; None where there are none."""
    return ((obj or {}).get("metadata") or {}).get("managedFields")


def track_update(
    old: Obj | None,
    new: Obj,
    *,
    node: Node,
    manager: str,
    api_version: str,
    now: str,
    subresource: str | None = None,
    foreign: Iterable[tuple[str, ...]] = (),
) -> list[Obj]:
    """The managedFields of `new`, which this manager made of `old` (None: created) by POST, PUT or PATCH.

    `new` is decoded and defaulted, and as it was before admission. `foreign` are the parts of the object that the
    endpoint does not write (status, or all but status): they belong to nobody by this write. `now` is RFC 3339.
    Managed fields that `new` brings along replace those of `old`; `[{}]` forgets all, and nothing is tracked from then
    on.
    """
    managers = _given(old, new, subresource)
    if old is not None and not managers:
        return []
    who = manager_of(manager, UPDATE, api_version, subresource)
    base = bare(old) if old is not None else blank(node, new)
    return encode(
        capped(
            updated(managers, base, bare(new), node=node, who=who, api_version=api_version, now=now, foreign=foreign)
        )
    )


def _given(old: Obj | None, new: Obj, subresource: str | None) -> Managers:
    brought = entries_of(new)
    if subresource or old is None:
        brought = None
    if brought is not None and len(brought) == 1 and not any(brought[0].values()):
        return {}
    return decode(brought) or decode(entries_of(old))


def updated(
    managers: Managers,
    old: Obj,
    new: Obj,
    *,
    node: Node,
    who: Manager,
    api_version: str,
    now: str,
    foreign: Iterable[tuple[str, ...]] = (),
) -> Managers:
    """The managers after `who` made `new` of `old`; both bare (see `bare`)."""
    found = typed.compare(node, old, new)
    foreign = tuple(foreign)
    changed, removed = without(found.changed, foreign), without(found.removed, foreign)
    taken = lose(managers, changed, removed)
    mine = difference(changed, STRIPPED)
    if mine:
        before = taken.get(who)
        taken[who] = Owned(union(mine, before.fields if before else {}), api_version, now)
    return taken


def lose(managers: Managers, *sets: Set) -> Managers:
    """The managers without the paths of these sets; who has nothing left is gone."""
    left: Managers = {}
    for who, owned in managers.items():
        fields = owned.fields
        for each in sets:
            if each and intersection(fields, each):
                fields = difference(fields, each)
        if fields:
            left[who] = owned if fields is owned.fields else replace(owned, fields=fields)
    return left


def capped(managers: Managers) -> Managers:
    """At most UPDATE_LIMIT managers by update: the oldest become one of ANCIENT."""
    updates = [item for item in sorted(managers.items(), key=_order) if item[0].operation == UPDATE]
    surplus = len(updates) - UPDATE_LIMIT
    if surplus <= 0:
        return managers
    kept = dict(managers)
    for who, owned in updates[: surplus + 1]:
        del kept[who]
        ancient = manager_of(ANCIENT, UPDATE, owned.api_version, None)
        before = kept.get(ancient)
        kept[ancient] = replace(owned, fields=union(owned.fields, before.fields)) if before else owned
    return kept


def bare(obj: Obj) -> Obj:
    """The object without its managedFields; shares the rest."""
    if entries_of(obj) is None:
        return obj
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta}


def blank(node: Node, obj: Obj) -> Obj:
    """The object of this kind to which nobody has written yet. What it has all the same is never added by anybody."""
    made: Obj = {key: obj[key] for key in ("apiVersion", "kind") if key in obj}
    if not node.custom:
        made.update(_blank(node))
        made.update({name: _blank(node.fields[name]) for name in PARTS if name in node.fields})
    return made


def _blank(node: Node) -> Obj:
    made: Obj = dict(zeros.BLANK.get(node.name, {}))
    made.update({name: _blank(node.fields[name]) for name in zeros.ALWAYS.get(node.name, ())})
    return made


def same_but_times(old: Obj, new: Obj) -> bool:
    """Whether a write of `new` over `old` changes nothing: equal but for resourceVersion and the times of managers."""
    if any(old.get(key) != new.get(key) for key in {**old, **new} if key != "metadata"):
        return False
    one, other = old["metadata"], new["metadata"]
    apart = ("resourceVersion", "managedFields")
    if any(one.get(key) != other.get(key) for key in {**one, **other} if key not in apart):
        return False
    return _timeless(one) == _timeless(other)


def _timeless(meta: Obj) -> list[Obj]:
    entries = [{k: v for k, v in entry.items() if k != "time"} for entry in meta.get("managedFields") or ()]
    return sorted(
        entries,
        key=lambda e: (e.get("manager", ""), e.get("operation", ""), e.get("subresource", ""), e.get("apiVersion", "")),
    )
