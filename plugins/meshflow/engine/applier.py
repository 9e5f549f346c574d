"""A plan carried out: server-side apply in stages, then pruning. A repeated or interrupted apply does no harm.

begin    checks, then the inventory is widened            crash after it: the inventory names more than exists
apply    per stage, only what differs                     crash in it: the same apply again, no-ops where it was done
finish   deletions, then the inventory is narrowed        crash in it: the same deletions again, by uid
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from meshflow.clients.kube import Kube
from meshflow.engine import inventory
from meshflow.engine.planner import MANAGER, learn_definitions
from meshflow.errors import Conflict, PruneRefused, Rejected, ServerBusy, Stale
from meshflow.objects import order
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Reference
from meshflow.plan import digest, ignore, prepare
from meshflow.plan.model import Action, Entry, Plan
from meshflow.plan.stages import DEFINITIONS, Stage, stages

log = logging.getLogger(__name__)

CONCURRENCY = 8


class Applied(NamedTuple):
    """One write. `resource_version` is None for what was pruned."""

    reference: Reference
    action: Action
    resource_version: str | None


async def begin(
    kube: Kube, desired: Sequence[Desired], plan: Plan, *, allow_prune: bool = False, manager: str = MANAGER
) -> None:
    """Check that the plan may be applied, then record every object of it in the inventory, before the first write.

    Raises Stale (other objects than planned), Conflict, Rejected (entries `unknown`; ServerBusy when waiting may mend
    all of them), PruneRefused (over budget, unless `allow_prune`: a person approved). Writes nothing when all objects
    are in the inventory already.
    """
    check(desired, plan, allow_prune=allow_prune)
    present = await inventory.read(kube, plan.set_name)
    known = present.references | {entry.reference for entry in plan.entries}
    await inventory.write(kube, present, known, manager=manager)


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
    manager: str = MANAGER,
    concurrency: int = CONCURRENCY,
) -> list[Applied]:
    """Write the objects of one stage that differ; returns what was written, in order.

    Objects of one rank (objects/order.py) are written at the same time, ranks one after the other. When writes fail,
    the others of their rank are finished, and the first error is raised; later ranks are not begun.
    """
    learn_definitions(kube, desired)
    objects = {item.reference: item.obj for item in desired}
    limit = asyncio.Semaphore(concurrency)

    async def one(entry: Entry) -> Applied:
        sent = ignore.without(prepare.prepared(objects[entry.reference]), entry.leave)
        async with limit:
            result = await kube.apply(sent, manager=manager, force=entry.takeover)
        log.info("%s", entry)
        return Applied(entry.reference, entry.action, result["metadata"].get("resourceVersion"))

    applied: list[Applied] = []
    for rank in order.ranks(stage.references):
        entries = [entry for entry in map(plan.entry, rank) if entry and entry.action in _WRITTEN]
        applied += await _all(one(entry) for entry in entries)
    if stage.name == DEFINITIONS and applied:
        kube.forget_kinds()
    return applied


async def finish(
    kube: Kube, desired: Sequence[Desired], plan: Plan, *, allow_prune: bool = False, manager: str = MANAGER
) -> list[Applied]:
    """Delete what the plan prunes, the dependants first, then narrow the inventory to what is declared or protected."""
    check(desired, plan, allow_prune=allow_prune)
    pruned = plan.having(Action.PRUNE)
    applied: list[Applied] = []
    by_reference = {entry.reference: entry for entry in pruned}
    for rank in reversed(order.ranks(by_reference)):
        applied += await _all(_delete(kube, by_reference[reference]) for reference in reversed(rank))
    remaining = {entry.reference for entry in plan.entries if entry.action is not Action.PRUNE}
    await inventory.write(kube, await inventory.read(kube, plan.set_name), remaining, manager=manager)
    return applied


async def run(
    kube: Kube,
    desired: Sequence[Desired],
    plan: Plan,
    *,
    settled: Callable[[Stage], Awaitable[None]],
    allow_prune: bool = False,
    manager: str = MANAGER,
) -> list[Applied]:
    """All of it in one go, for callers that can stay awake: `settled` returns when a stage's objects are healthy."""
    await begin(kube, desired, plan, allow_prune=allow_prune, manager=manager)
    applied: list[Applied] = []
    for stage in stages(desired):
        applied += await apply(kube, desired, plan, stage=stage, manager=manager)
        await settled(stage)
    return applied + await finish(kube, desired, plan, allow_prune=allow_prune, manager=manager)


_WRITTEN = (Action.CREATE, Action.CONFIGURE)


async def _delete(kube: Kube, entry: Entry) -> Applied:
    """Delete the very object that was planned: another one with its name now stays, and stays unknown to the set."""
    try:
        await kube.delete(entry.reference, uid=entry.uid)
    except Rejected as error:
        if error.status != 409:
            raise
        log.warning("%s was made anew since the plan, and stays", entry.reference)
    else:
        log.info("%s", entry)
    return Applied(entry.reference, Action.PRUNE, None)


async def _all(writes: Iterable[Awaitable[Applied]]) -> list[Applied]:
    """The results of all, when all are finished; the first error otherwise, the others in the log."""
    results = await asyncio.gather(*writes, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors[1:]:
        log.error("%s", error)
    if errors:
        raise errors[0]
    return [result for result in results if not isinstance(result, BaseException)]


def _told(entries: Sequence[Entry], limit: int = 5) -> str:
    told = "; ".join(f"{entry.reference}: {entry.message}" for entry in entries[:limit])
    return told + (f"; and {len(entries) - limit} more" if len(entries) > limit else "")
