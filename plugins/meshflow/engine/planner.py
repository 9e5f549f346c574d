"""A set of declared objects held against a cluster: what to write, what to prune. Reads only.

Each kind is listed once; what seems to differ is asked about by dry-run (engine/comparer.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from meshflow.clients.kube import Kube
from meshflow.engine import inventory, reading
from meshflow.engine.comparer import Comparer, version_of
from meshflow.engine.inventory import Inventory
from meshflow.engine.verdicts import Verdicts
from meshflow.errors import InvalidInput
from meshflow.objects import order
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference
from meshflow.plan import digest, ignore, prune
from meshflow.plan.model import Action, Entry, Plan

MANAGER = "meshflow"
CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


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
    before: Sequence[Desired] = (),
    partial: bool = False,
) -> Plan:
    """What applying `desired` as the set `set_name` would do. `before` is what will have been applied by then.

    `partial` says that `desired` is a stage on the way and not the whole set: nothing is pruned.

    Raises only when the cluster as a whole does not answer (Unreachable, Unauthorized, Forbidden, ServerBusy), and
    InvalidInput when an object is declared twice; what goes wrong with one object is an entry `unknown`.
    """
    _check_unique(desired)
    learn_definitions(kube, [*before, *desired])
    inventories = await inventory.read_all(kube)
    own = inventories.get(set_name, Inventory(set_name, frozenset(), False))
    wanted = {item.reference for item in desired}
    versions = {(item.reference.group, item.reference.kind): version_of(item.obj) for item in desired}
    ground = [item for item in before if _carries_others(item.reference)]
    sought = wanted | own.references | {item.reference for item in ground}
    live = await reading.read(kube, sought, versions=versions)

    comparer = Comparer(
        kube=kube,
        manager=manager,
        takeover=takeover,
        rules=rules,
        verdicts=verdicts or Verdicts(),
        context=ignore.Context.of([*(item.obj for item in desired), *live.values()]),
        coming=_coming([*ground, *desired], live),
        elsewhere=_elsewhere(inventories, set_name),
    )
    limit = asyncio.Semaphore(reading.CONCURRENCY)

    async def one(item: Desired) -> Entry:
        async with limit:
            return await comparer.entry(item, live.get(item.reference))

    entries = await asyncio.gather(*(one(item) for item in desired))
    comparer.verdicts.save()
    leaving = own.references - wanted
    present = {reference: live[reference] for reference in leaving if reference in live}
    pruned = _staying(present) if partial else _pruned(present, inventories, own, manager)
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
        if (item.reference.group, item.reference.kind) == CRD:
            kube.learn(item.obj)


def _staying(others: Mapping[Reference, Obj]) -> list[Entry]:
    """Entries for the objects of the set's other stages, so that the inventory keeps them."""
    return [
        Entry(
            reference,
            Action.UNCHANGED,
            message="of another stage",
            uid=live["metadata"].get("uid"),
            resource_version=live["metadata"].get("resourceVersion"),
        )
        for reference, live in others.items()
    ]


def _pruned(
    leaving: Mapping[Reference, Obj], inventories: Mapping[str, Inventory], own: Inventory, manager: str
) -> list[Entry]:
    """An entry for each live object that the set declares no longer: `prune`, or `unchanged` with why it stays."""
    entries = []
    elsewhere = _elsewhere(inventories, own.set_name)
    for reference, live in leaving.items():
        metadata = live["metadata"]
        if reference in elsewhere or metadata.get("deletionTimestamp"):
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
    """(group, kind) of definitions, and ("namespace", name), that are declared and the cluster lacks."""
    found = set()
    for item in desired:
        if item.reference in live or not _carries_others(item.reference):
            continue
        if item.reference.kind == "Namespace":
            found.add(("namespace", item.reference.name))
        else:
            spec = item.obj["spec"]
            found.add((spec["group"], spec["names"]["kind"]))
    return frozenset(found)


def _carries_others(reference: Reference) -> bool:
    """Whether other objects cannot be there without it."""
    return (reference.group, reference.kind) in (("", "Namespace"), CRD)


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
