"""A plan carried out: server-side apply in stages, then pruning. A repeated or interrupted apply does no harm.

begin    checks, then the inventory is widened            crash after it: the inventory names more than exists
apply    per stage, only what differs                     crash in it: the same apply again, no-ops where it was done
finish   deletions, then the inventory is narrowed        crash in it: the same deletions again, by uid
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from meshflow.clients.kube import Kube
from meshflow.engine import inventory, reading
from meshflow.engine.comparer import being_deleted
from meshflow.engine.planner import MANAGER, learn_definitions, redefined
from meshflow.errors import Conflict, NotFound, PruneRefused, Rejected, ServerBusy, Stale
from meshflow.objects import order
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference
from meshflow.plan import digest, ignore, prepare
from meshflow.plan.model import Action, Entry, Plan
from meshflow.plan.stages import DEFINITIONS, Stage, stages

log = logging.getLogger(__name__)

CONCURRENCY = 8
NEW_KIND_TRIES = 6
"""A second apart: a server takes a moment until it serves a new version, or a new field, of a definition."""


class Applied(NamedTuple):
    """One write. `resource_version` is None for what was pruned."""

    reference: Reference
    action: Action
    resource_version: str | None


async def begin(kube: Kube, desired: Sequence[Desired], plan: Plan, *, allow_prune: bool = False) -> None:
    """Check that the plan may be applied, then record every object of it in the inventory, before the first write.

    Raises Stale (other objects than planned), Conflict, Rejected (entries `unknown`; ServerBusy when waiting may mend
    all of them), PruneRefused (over budget, unless `allow_prune`: a person approved). Writes nothing when all objects
    are in the inventory already.
    """
    check(desired, plan, allow_prune=allow_prune)
    present = await inventory.read(kube, plan.set_name)
    known = present.references | {entry.reference for entry in plan.entries}
    await inventory.write(kube, present, known, manager=MANAGER)


def check(desired: Iterable[Desired], plan: Plan, *, allow_prune: bool = False) -> None:
    """Raise why the plan must not be applied; see `begin`."""
    if digest.of_set(desired) != plan.digest:
        raise Stale(
            f"The objects of {plan.set_name} are not those that the plan was made from: the sources changed in between."
            " Run the plan again"
        )
    conflicts = plan.having(Action.CONFLICT)
    if conflicts:
        raise Conflict(
            f"{len(conflicts)} objects of {plan.set_name} have fields that others own: {_told(conflicts)}. Let them "
            "keep the fields by removing these from the manifests, or set takeover for this phase",
            fields=[(change.manager or "", change.path) for entry in conflicts for change in entry.changes],
        )
    unknown = plan.having(Action.UNKNOWN)
    if unknown and all(entry.retriable for entry in unknown):
        raise ServerBusy(
            f"{len(unknown)} objects of {plan.set_name} cannot be compared now: {_told(unknown)}", status=503
        )
    if unknown:
        raise Rejected(f"{len(unknown)} objects of {plan.set_name} could not be compared: {_told(unknown)}", status=422)
    if plan.prune_refusal and not allow_prune:
        doomed = [str(entry.reference) for entry in plan.having(Action.PRUNE)]
        raise PruneRefused(plan.prune_refusal, references=doomed)


async def apply(
    kube: Kube,
    desired: Sequence[Desired],
    plan: Plan,
    *,
    stage: Stage,
    done: Callable[[Applied], None] = lambda _: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Applied]:
    """Write the objects of one stage that differ; returns what was written, in order. `done` hears of each at once.

    Objects of one rank (objects/order.py) are written at the same time, ranks one after the other. When writes fail,
    the others of their rank are finished, and the first error is raised; later ranks are not begun.
    """
    learn_definitions(kube, desired)
    objects = {item.reference: item.obj for item in desired}
    new = redefined(desired, plan)
    limit = asyncio.Semaphore(CONCURRENCY)

    async def one(entry: Entry) -> Applied:
        sent = ignore.without(prepare.prepared(objects[entry.reference]), entry.leave)
        tries = NEW_KIND_TRIES if (entry.reference.group, entry.reference.kind) in new else 1
        async with limit:
            result = await _written(kube, sent, force=entry.takeover, tries=tries, sleep=sleep)
        log.info("%s", entry)
        applied = Applied(entry.reference, entry.action, result["metadata"].get("resourceVersion"))
        done(applied)
        return applied

    applied: list[Applied] = []
    for rank in order.ranks(stage.references):
        entries = [entry for entry in map(plan.entry, rank) if entry and entry.action in _WRITTEN]
        applied += await _all(one(entry) for entry in entries)
    if stage.name == DEFINITIONS and applied:
        kube.forget_kinds()
    return applied


async def finish(
    kube: Kube,
    desired: Sequence[Desired],
    plan: Plan,
    *,
    allow_prune: bool = False,
    done: Callable[[Applied], None] = lambda _: None,
) -> list[Applied]:
    """Delete what the plan prunes, the dependants first, then narrow the inventory to what is there because of the set.

    That is what is declared, what is protected, and what waits for a finalizer after its deletion.
    """
    check(desired, plan, allow_prune=allow_prune)
    by_reference = {entry.reference: entry for entry in plan.having(Action.PRUNE)}
    applied: list[Applied] = []
    for rank in reversed(order.ranks(by_reference)):
        applied += await _all(_delete(kube, by_reference[reference], done) for reference in reversed(rank))
    lingering = await _lingering(kube, by_reference)
    remaining = {entry.reference for entry in plan.entries if entry.reference not in by_reference} | lingering
    await inventory.write(kube, await inventory.read(kube, plan.set_name), remaining, manager=MANAGER)
    return applied


async def run(
    kube: Kube,
    desired: Sequence[Desired],
    plan: Plan,
    *,
    settled: Callable[[Stage], Awaitable[None]],
    allow_prune: bool = False,
    done: Callable[[Applied], None] = lambda _: None,
) -> list[Applied]:
    """All of it in one go, for callers that can stay awake: `settled` returns when a stage's objects are healthy."""
    await begin(kube, desired, plan, allow_prune=allow_prune)
    applied: list[Applied] = []
    for stage in stages(desired):
        applied += await apply(kube, desired, plan, stage=stage, done=done)
        await settled(stage)
    return applied + await finish(kube, desired, plan, allow_prune=allow_prune, done=done)


_WRITTEN = (Action.CREATE, Action.CONFIGURE)


async def _written(kube: Kube, obj: Obj, *, force: bool, tries: int, sleep: Callable[[float], Awaitable[None]]) -> Obj:
    for left in reversed(range(tries)):
        try:
            return await kube.apply(obj, manager=MANAGER, force=force)
        except (NotFound, Rejected) as refusal:
            if not left or isinstance(refusal, Conflict):
                raise
            log.info("%s; its definition is new, so it is tried again", refusal)
            await sleep(1)
    raise AssertionError("the loop either returns or raises")


async def _delete(kube: Kube, entry: Entry, done: Callable[[Applied], None]) -> Applied | None:
    """Delete the very object that was planned: another one with its name now stays, and stays unknown to the set."""
    applied = Applied(entry.reference, Action.PRUNE, None)
    try:
        await kube.delete(entry.reference, uid=entry.uid)
    except Rejected as error:
        if error.status != 409:
            raise
        log.warning("%s was made anew since the plan, and stays", entry.reference)
        return None
    log.info("%s", entry)
    done(applied)
    return applied


async def _lingering(kube: Kube, pruned: Mapping[Reference, Entry]) -> set[Reference]:
    """What was deleted and is not gone: a finalizer may take its time, and until then nobody should forget it."""
    live = await reading.read(kube, pruned)
    found = {reference for reference, obj in live.items() if obj["metadata"].get("uid") == pruned[reference].uid}
    for reference in order.ordered(found):
        log.warning("%s %s", reference, being_deleted(live[reference]) or "is not gone yet")
    return found


async def _all(writes: Iterable[Awaitable[Applied | None]]) -> list[Applied]:
    """The results of all, when all are finished; the first error otherwise, the others in the log."""
    results = await asyncio.gather(*writes, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors[1:]:
        log.error("%s", error)
    if errors:
        raise errors[0]
    return [result for result in results if isinstance(result, Applied)]


def _told(entries: Sequence[Entry], limit: int = 5) -> str:
    told = "; ".join(f"{entry.reference}: {entry.message}" for entry in entries[:limit])
    return told + (f"; and {len(entries) - limit} more" if len(entries) > limit else "")
