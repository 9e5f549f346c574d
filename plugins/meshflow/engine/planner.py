"""A set of declared objects held against a cluster: what to write, what to prune. Reads only.

Each kind is listed once; what seems to differ is asked about by dry-run (engine/comparer.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from meshflow.clients.kube import Kube
from meshflow.engine import inventory, reading
from meshflow.engine.comparer import Comparer, being_deleted, version_of
from meshflow.engine.inventory import Inventory
from meshflow.engine.verdicts import Verdicts
from meshflow.errors import InvalidInput, MeshflowError
from meshflow.objects import order
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference
from meshflow.plan import digest, ignore, prune
from meshflow.plan.model import Action, Entry, Plan

MANAGER = "meshflow"
CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")

Others = Callable[[], Mapping[Reference, str]]
"""What all other sets declare, by the name of the set. Asked only when something would be pruned: it is expensive."""


@dataclass(frozen=True)
class SetRules:
    """What holds for a set, whatever its objects are. `name` is that of its inventory.

    `prune_budget` is the share of the inventory that may be pruned at once. `partial` says that the objects are a stage
    on the way and not the whole set: nothing is pruned.
    """

    name: str
    takeover: bool = False
    prune_budget: float = 0.25
    partial: bool = False


async def plan(
    kube: Kube,
    desired: Sequence[Desired],
    rules: SetRules,
    *,
    verdicts: Verdicts | None = None,
    before: Sequence[Desired] = (),
    others: Others = dict,
) -> Plan:
    """What applying `desired` as a set would do. `before` is what will have been applied by then.

    Raises only when the cluster as a whole does not answer (Unreachable, Unauthorized, Forbidden, ServerBusy), and
    InvalidInput when an object is declared twice; what goes wrong with one object is an entry `unknown`.
    """
    _check_unique(desired)
    learn_definitions(kube, [*before, *desired])
    inventories = await inventory.read_all(kube)
    own = inventories.get(rules.name, Inventory(rules.name, frozenset(), False))
    elsewhere = _elsewhere(inventories, rules.name)
    wanted = {item.reference for item in desired}
    versions = {(item.reference.group, item.reference.kind): version_of(item.obj) for item in desired}
    ground = [item for item in before if _carries_others(item.reference)]
    sought = wanted | own.references | {item.reference for item in ground}
    live = await reading.read(kube, sought, versions=versions)

    comparer = Comparer(
        kube=kube,
        manager=MANAGER,
        takeover=rules.takeover,
        verdicts=verdicts or Verdicts(),
        context=ignore.Context.of([*(item.obj for item in desired), *live.values()]),
        coming=_coming([*ground, *desired], live),
        elsewhere=elsewhere,
    )
    entries = await _entries(comparer, desired, ground, live)
    comparer.verdicts.save()
    leaving = {reference: live[reference] for reference in own.references - wanted if reference in live}
    left = _of_other_stages(leaving) if rules.partial else _left(leaving, elsewhere, others)
    doomed = [entry.reference for entry in left if entry.action is Action.PRUNE]
    return Plan(
        entries=tuple(
            sorted(entries, key=lambda entry: order.key(entry.reference))
            + sorted(left, key=lambda entry: order.key(entry.reference), reverse=True)
        ),
        cluster=kube.cluster,
        digest=digest.of_set(desired),
        set_name=rules.name,
        prune_refusal=prune.refusal(doomed, inventory=len(own.references), share=rules.prune_budget),
    )


async def _entries(
    comparer: Comparer, desired: Sequence[Desired], ground: Sequence[Desired], live: Mapping[Reference, Obj]
) -> list[Entry]:
    """The entries of the objects, definitions first: what changes them decides what can be asked about the others."""
    limit = asyncio.Semaphore(reading.CONCURRENCY)

    async def one(comparer: Comparer, item: Desired) -> Entry:
        async with limit:
            return await comparer.entry(item, live.get(item.reference))

    definitions = [item for item in [*ground, *desired] if _is_definition(item.reference)]
    first = await asyncio.gather(*(one(comparer, item) for item in definitions))
    changing = frozenset(
        _defined(item) for item, entry in zip(definitions, first, strict=True) if entry.action is Action.CONFIGURE
    )
    comparer = replace(comparer, changing=changing)
    others = [item for item in desired if not _is_definition(item.reference)]
    then = await asyncio.gather(*(one(comparer, item) for item in others))
    wanted = {item.reference for item in desired}
    return [entry for entry in (*first, *then) if entry.reference in wanted]


def learn_definitions(kube: Kube, desired: Iterable[Desired]) -> None:
    """Teach the client the kinds whose definitions come with the set: no discovery can know them yet."""
    for item in desired:
        if _is_definition(item.reference):
            kube.learn(item.obj)


def redefined(desired: Iterable[Desired], plan: Plan) -> frozenset[tuple[str, str]]:
    """(group, kind) of the definitions that the plan writes."""
    written = {entry.reference for entry in plan.having(Action.CREATE, Action.CONFIGURE)}
    return frozenset(_defined(item) for item in desired if _is_definition(item.reference) and item.reference in written)


def _of_other_stages(leaving: Mapping[Reference, Obj]) -> list[Entry]:
    """Entries for the objects of the set's other stages, so that the inventory keeps them."""
    return [_staying(live, "of another stage") for live in leaving.values()]


def _left(leaving: Mapping[Reference, Obj], elsewhere: Mapping[Reference, str], others: Others) -> list[Entry]:
    """An entry for each live object that the set declares no longer: `prune`, or `unchanged` with why it stays.

    One that moved to another set and is in its inventory by now has none: it is that set's business.
    """
    ours = {reference: live for reference, live in leaving.items() if reference not in elsewhere}
    kept = {reference: _kept(live) for reference, live in ours.items()}
    if not all(kept.values()):
        owners, unsure = _declared_by(others)
        for reference in [reference for reference, why in kept.items() if not why]:
            owner = owners.get(reference)
            kept[reference] = f"the set {owner} declares it, and has to be applied" if owner else unsure
    return [_leaving(live, kept[reference]) for reference, live in ours.items()]


def _kept(live: Obj) -> str:
    return being_deleted(live) or prune.protection(live, manager=MANAGER) or ""


def _leaving(live: Obj, kept: str) -> Entry:
    entry = _staying(live, f"declared no longer, but stays: {kept}")
    return entry if kept else replace(entry, action=Action.PRUNE, message="")


def _declared_by(others: Others) -> tuple[Mapping[Reference, str], str]:
    """What other sets declare, and why that is not known. Not to know keeps an object: a deletion is not undone."""
    try:
        return others(), ""
    except MeshflowError as problem:
        return {}, f"whether another set declares it is not known ({problem})"


def _staying(live: Obj, why: str) -> Entry:
    metadata = live["metadata"]
    return Entry(
        Reference.of(live),
        Action.UNCHANGED,
        message=why,
        uid=metadata.get("uid"),
        resource_version=metadata.get("resourceVersion"),
    )


def _elsewhere(inventories: Mapping[str, Inventory], set_name: str) -> dict[Reference, str]:
    """Which other set has an object in its inventory."""
    return {
        reference: name for name, other in inventories.items() if name != set_name for reference in other.references
    }


def _coming(desired: Iterable[Desired], live: Mapping[Reference, Obj]) -> frozenset[tuple[str, str]]:
    """(group, kind) of definitions, and ("namespace", name), that are declared and the cluster lacks."""
    missing = [item for item in desired if item.reference not in live and _carries_others(item.reference)]
    return frozenset(
        _defined(item) if _is_definition(item.reference) else ("namespace", item.reference.name) for item in missing
    )


def _carries_others(reference: Reference) -> bool:
    """Whether other objects cannot be there without it."""
    return (reference.group, reference.kind) == ("", "Namespace") or _is_definition(reference)


def _is_definition(reference: Reference) -> bool:
    return (reference.group, reference.kind) == CRD


def _defined(definition: Desired) -> tuple[str, str]:
    """(group, kind) of what a definition defines."""
    spec = definition.obj["spec"]
    return spec["group"], spec["names"]["kind"]


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
