"""Server-side apply: what a manager wants, laid over what is there.

The applied object says all that its manager wants to own. So three things happen to the live one: what is applied goes
on top; what the manager applied before and leaves out now goes away, unless somebody else owns it; and where the value
of another manager would change, that is a conflict, which `force` settles in favour of the one who applies. Equal
values are owned together.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.patch import last_applied, merging, typed, typing
from sandbox.patch.errors import BadPatch, Conflicts
from sandbox.patch.fieldset import Set, difference, intersection, paths, union, without
from sandbox.patch.managed import (
    APPLY,
    BEFORE_APPLY,
    STRIPPED,
    UPDATE,
    Manager,
    Managers,
    Owned,
    bare,
    blank,
    decode,
    encode,
    entries_of,
    lose,
    manager_of,
    updated,
)
from sandbox.schema.errors import FieldError, Reason
from sandbox.schema.node import Node, Obj
from sandbox.schema.plain import copied


def server_side_apply(
    live: Obj | None,
    applied: Obj,
    *,
    node: Node,
    manager: str,
    api_version: str,
    now: str,
    force: bool = False,
    subresource: str | None = None,
    foreign: Iterable[tuple[str, ...]] = (),
) -> Obj:
    """The merged object with its new managedFields; `live` is None where there is none yet. Changes no argument.

    The result is still to be decoded and defaulted: it has the quantities as applied, and maps that were emptied.
    `foreign` are the parts of the object that the endpoint does not write; they are neither owned nor in conflict, and
    the caller puts them back. Raises BadPatch, NotTyped and Conflicts.
    """
    if entries_of(applied) is not None:
        raise BadPatch("metadata.managedFields must be nil")
    typing.check(node, applied)
    foreign = tuple(foreign)
    who = manager_of(manager, APPLY, api_version, subresource)
    base = bare(live) if live is not None else blank(node, applied)
    managers = _managers(live, base, node=node, api_version=api_version, now=now)
    before = managers.get(who)
    wanted = without(typed.fields(node, applied), foreign)
    managers[who] = Owned(difference(wanted, STRIPPED), api_version, before.time if before else None)
    merged = merging.merge(node, base, applied)
    if before is not None:  # with the name and the like in `wanted`, or metadata would go with its last label
        merged = merging.prune(node, merged, before.fields, union(wanted, _all(managers)))
    free = last_applied.allowed(live, node=node, manager=manager, api_version=api_version)
    managers = _settle(managers, who, base, merged, node=node, force=force, free=free, foreign=foreign)
    if merged != base and who in managers:
        managers[who] = Owned(managers[who].fields, api_version, now)
    result = _with_entries(copied(merged), encode(managers))
    last_applied.sync(result, applied, manager=manager)
    return result


def _managers(live: Obj | None, base: Obj, *, node: Node, api_version: str, now: str) -> Managers:
    """The managers of the live object. What was there before fields were tracked belongs to a manager of its own."""
    managers = decode(entries_of(live))
    if managers or live is None:
        return managers
    who = manager_of(BEFORE_APPLY, UPDATE, api_version, None)
    return updated({}, blank(node, base), base, node=node, who=who, api_version=api_version, now=now)


def _all(managers: Managers) -> Set:
    every: Set = {}
    for owned in managers.values():
        every = union(every, owned.fields)
    return every


def _settle(
    managers: Managers,
    who: Manager,
    base: Obj,
    merged: Obj,
    *,
    node: Node,
    force: bool,
    free: Set,
    foreign: tuple[tuple[str, ...], ...],
) -> Managers:
    """The managers after `base` became `merged`. Raises Conflicts without `force`, but not for what is `free`."""
    found = typed.compare(node, base, merged)
    changed, removed = without(found.changed, foreign), without(found.removed, foreign)
    others = {each: owned for each, owned in managers.items() if each != who}
    if changed and not force:
        _refuse(others, difference(changed, free))
    settled = lose(others, changed, removed)
    if managers[who].fields:
        settled[who] = managers[who]
    return settled


def _refuse(others: Managers, changed: Set) -> None:
    """Raise Conflicts for the paths that others own and that would change."""
    found = [(str(each), list(paths(intersection(owned.fields, changed)))) for each, owned in sorted(others.items())]
    found = [(name, fields) for name, fields in found if fields]
    causes = [FieldError(Reason.CONFLICT, field, f"conflict with {name}") for name, fields in found for field in fields]
    if causes:
        raise Conflicts(_message(found, len(causes)), causes)


def _message(found: list[tuple[str, list[str]]], count: int) -> str:
    if count == 1:
        return f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1][0]}"
    lines = []
    for name, fields in found:
        lines += [f"conflicts with {name}:", *(f"- {field}" for field in fields)]
    return f"Apply failed with {count} conflicts: " + "\n".join(lines)


def _with_entries(obj: Obj, entries: list[Obj]) -> Obj:
    meta = obj.setdefault("metadata", {})
    if entries:
        meta["managedFields"] = entries
    else:
        meta.pop("managedFields", None)
    return obj
