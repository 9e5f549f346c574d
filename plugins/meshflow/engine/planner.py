"""Desired objects held against a cluster. Reads only: lists, and dry-runs for what seems to differ.

live object          what we own and declare    dry-run            entry
missing              –                          accepted           create
missing              –                          not possible yet   create (its CRD or namespace is in the same set)
there                as declared                not asked          unchanged
there                seems to differ            same object        unchanged (remembered in `verdicts`)
there                seems to differ            another object     configure
there                seems to differ            conflict           conflict, or configure with takeover
any                  any                        refused            unknown, with the reason
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from meshflow.clients.kube import Kube
from meshflow.engine import inventory, reading
from meshflow.engine.inventory import Inventory
from meshflow.engine.verdicts import Verdicts
from meshflow.errors import Conflict, InvalidInput, MeshflowError, NotFound, Temporary
from meshflow.objects import order
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference
from meshflow.plan import changes, compare, digest, ignore, managers, ownership, paths, prepare, prune
from meshflow.plan.model import Action, Entry, Plan

log = logging.getLogger(__name__)

MANAGER = "meshflow"


async def plan(
    kube: Kube,
    desired: Sequence[Desired],
    *,
    set_name: str,
    manager: str = MANAGER,
    takeover: bool = False,
    prune_budget: float = 0.25,
    rules: Sequence[ignore.Rule] = ignore.DEFAULT,
    verdicts: Verdicts | None = None,
) -> Plan:
    """What applying `desired` as the set `set_name` would do.

    Raises only when the cluster as a whole does not answer (Unreachable, Unauthorized, Forbidden, ServerBusy), and
    InvalidInput when an object is declared twice; what goes wrong with one object is an entry `unknown`.
    """
    _check_unique(desired)
    learn_definitions(kube, desired)
    inventories = await inventory.read_all(kube)
    own = inventories.get(set_name, Inventory(set_name, frozenset(), False))
    wanted = {item.reference for item in desired}
    versions = {(item.reference.group, item.reference.kind): _version(item.obj) for item in desired}
    live = await reading.read(kube, wanted | own.references, versions=versions)

    look = _Look(
        kube=kube,
        manager=manager,
        takeover=takeover,
        rules=rules,
        verdicts=verdicts or Verdicts(),
        context=ignore.Context.of([*(item.obj for item in desired), *live.values()]),
        coming=_coming(desired, live),
        elsewhere=_elsewhere(inventories, set_name),
    )
    limit = asyncio.Semaphore(reading.CONCURRENCY)

    async def one(item: Desired) -> Entry:
        async with limit:
            return await look.entry(item, live.get(item.reference))

    entries = await asyncio.gather(*(one(item) for item in desired))
    look.verdicts.save()
    leaving = own.references - wanted
    pruned = _pruned(
        {reference: live[reference] for reference in leaving if reference in live}, inventories, own, manager
    )
    doomed = [entry.reference for entry in pruned if entry.action is Action.PRUNE]
    return Plan(
        entries=tuple(
            sorted(entries, key=lambda entry: order.key(entry.reference))
            + sorted(pruned, key=lambda entry: order.key(entry.reference), reverse=True)
        ),
        cluster=kube.cluster,
        digest=digest.of_set(desired),
        set_name=set_name,
        prune_refusal=prune.refusal(doomed, inventory=len(own.references), share=prune_budget),
    )


def learn_definitions(kube: Kube, desired: Iterable[Desired]) -> None:
    """Teach the client the kinds whose definitions come with the set: no discovery can know them yet."""
    for item in desired:
        if (item.reference.group, item.reference.kind) == ("apiextensions.k8s.io", "CustomResourceDefinition"):
            kube.learn(item.obj)


@dataclass(frozen=True)
class _Look:
    """What is the same for all objects of one plan."""

    kube: Kube
    manager: str
    takeover: bool
    rules: Sequence[ignore.Rule]
    verdicts: Verdicts
    context: ignore.Context
    coming: frozenset[tuple[str, str]]
    elsewhere: Mapping[Reference, str]

    async def entry(self, item: Desired, live: Obj | None) -> Entry:
        declared = prepare.prepared(item.obj)
        if live is None:
            return await self._missing(item, declared)
        metadata = live["metadata"]
        base = Entry(
            item.reference,
            Action.UNCHANGED,
            origin=item.origin,
            message=self._shared(item.reference),
            uid=metadata.get("uid"),
            resource_version=metadata.get("resourceVersion"),
        )
        if metadata.get("deletionTimestamp"):
            waits = ", ".join(metadata.get("finalizers") or ()) or "its grace period"
            told = f"is being deleted since {metadata['deletionTimestamp']} and waits for {waits}"
            return replace(base, action=Action.UNKNOWN, message=told, retriable=True)
        left = ignore.left_to_others(declared, live, self.context, manager=self.manager, rules=self.rules)
        base = replace(base, leave=tuple(paths.text(one.path) for one in left))
        sent = ignore.without(declared, base.leave)
        if self._as_declared(sent, live) or self._known(sent, live):
            return base
        return await self._ask(base, sent, live)

    def _shared(self, reference: Reference) -> str:
        """Two sets that declare one object take each other's fields away at every run: better said than wondered at."""
        other = self.elsewhere.get(reference)
        return f"the set {other} has it in its inventory too" if other else ""

    def _as_declared(self, sent: Obj, live: Obj) -> bool:
        own = ownership.ours(ownership.owners(live), self.manager)
        if own is not None and own.api_version != sent["apiVersion"]:
            return False
        suspicion = compare.suspicion(sent, live, own.fields if own else {})
        if suspicion:
            log.debug("%s: %s", Reference.of(live), suspicion)
        return suspicion is None

    def _known(self, sent: Obj, live: Obj) -> bool:
        return self.verdicts.unchanged(**_verdict(sent, live))

    async def _missing(self, item: Desired, declared: Obj) -> Entry:
        entry = Entry(item.reference, Action.CREATE, origin=item.origin)
        if what := self._comes_first(item.reference):
            return replace(entry, message=f"{what} comes with this set")
        try:
            await self.kube.apply(declared, manager=self.manager, dry_run=True)
        except NotFound as error:
            return replace(entry, action=Action.UNKNOWN, message=f"{error}. Apply what defines it first")
        except MeshflowError as error:
            return _unknown(entry, error)
        return entry

    def _comes_first(self, reference: Reference) -> str:
        """What of this set must be there before the server can be asked about the object; else empty."""
        if (reference.group, reference.kind) in self.coming:
            return "its definition"
        return "its namespace" if ("namespace", reference.namespace or "") in self.coming else ""

    async def _ask(self, base: Entry, sent: Obj, live: Obj) -> Entry:
        try:
            after = await self.kube.apply(sent, manager=self.manager, dry_run=True)
        except Conflict as conflict:
            return await self._in_conflict(base, sent, live, conflict)
        except MeshflowError as error:
            return _unknown(base, error)
        return await self._differing(base, sent, live, after)

    async def _differing(self, base: Entry, sent: Obj, live: Obj, after: Obj) -> Entry:
        live = await self._same_age(live, after)
        differing = changes.between(live, after)
        moved = "" if differing else changes.ownership_changes(live, after, self.manager)
        if differing or moved:
            message = "; ".join(part for part in (moved, base.message) if part)
            return replace(base, action=Action.CONFIGURE, changes=differing, message=message)
        self.verdicts.remember(**_verdict(sent, live))
        return base

    async def _in_conflict(self, base: Entry, sent: Obj, live: Obj, conflict: Conflict) -> Entry:
        """All changes, those of the conflicting fields too, as a forced apply would make them."""
        try:
            after = await self.kube.apply(sent, manager=self.manager, dry_run=True, force=True)
        except MeshflowError as error:
            return _unknown(base, error)
        differing = changes.between(await self._same_age(live, after), after)
        message = managers.conflict_message(conflict.fields)
        if self.takeover:
            return replace(
                base, action=Action.CONFIGURE, changes=differing, takeover=True, message=f"takes over: {message}"
            )
        return replace(base, action=Action.CONFLICT, changes=differing, message=message)

    async def _same_age(self, live: Obj, after: Obj) -> Obj:
        """The live object that the dry-run saw: between list and dry-run a controller may have written to it."""
        if live["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion"):
            return live
        reference = Reference.of(live)
        return await self.kube.get(reference, version=_version(live)) or live


def _pruned(
    leaving: Mapping[Reference, Obj], inventories: Mapping[str, Inventory], own: Inventory, manager: str
) -> list[Entry]:
    """An entry for each live object that the set declares no longer: `prune`, or `unchanged` with why it stays."""
    entries = []
    for reference, live in leaving.items():
        metadata = live["metadata"]
        elsewhere = [
            i.set_name for i in inventories.values() if i.set_name != own.set_name and reference in i.references
        ]
        if elsewhere or metadata.get("deletionTimestamp"):
            continue  # it moved to another set, or is on its way out: not ours to keep or delete
        kept = prune.protection(live, manager=manager)
        entries.append(
            Entry(
                reference,
                Action.UNCHANGED if kept else Action.PRUNE,
                message=f"declared no longer, but stays: {kept}" if kept else "",
                uid=metadata.get("uid"),
                resource_version=metadata.get("resourceVersion"),
            )
        )
    return entries


def _elsewhere(inventories: Mapping[str, Inventory], set_name: str) -> dict[Reference, str]:
    """Which other set has an object in its inventory."""
    return {
        reference: name for name, other in inventories.items() if name != set_name for reference in other.references
    }


def _coming(desired: Iterable[Desired], live: Mapping[Reference, Obj]) -> frozenset[tuple[str, str]]:
    """(group, kind) of definitions, and ("namespace", name), that the set declares and the cluster lacks."""
    found = set()
    for item in desired:
        if item.reference in live:
            continue
        if item.reference.kind == "Namespace" and not item.reference.group:
            found.add(("namespace", item.reference.name))
        elif (item.reference.group, item.reference.kind) == ("apiextensions.k8s.io", "CustomResourceDefinition"):
            spec = item.obj["spec"]
            found.add((spec["group"], spec["names"]["kind"]))
    return frozenset(found)


def _check_unique(desired: Iterable[Desired]) -> None:
    seen: dict[Reference, str] = {}
    for item in desired:
        if item.reference in seen:
            raise InvalidInput(
                f"{item.reference} is declared twice, first in {seen[item.reference]}",
                where=item.origin,
                way_out="Keep one of the two",
            )
        seen[item.reference] = item.origin


def _verdict(sent: Obj, live: Obj) -> dict[str, str]:
    metadata = live["metadata"]
    return {
        "uid": metadata.get("uid", ""),
        "resource_version": metadata.get("resourceVersion", ""),
        "digest": digest.of(sent),
    }


def _unknown(entry: Entry, error: MeshflowError) -> Entry:
    return replace(entry, action=Action.UNKNOWN, message=str(error), retriable=isinstance(error, Temporary))


def _version(obj: Obj) -> str:
    return str(obj["apiVersion"]).rpartition("/")[2]
