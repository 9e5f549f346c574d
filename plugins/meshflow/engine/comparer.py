"""One declared object held against the live one: compared here where that is certain, by the server where it is not.

live object          what we own and declare    dry-run            entry
missing              –                          accepted           create
missing              –                          not possible yet   create (its CRD or namespace is written first)
there                as declared                not asked          unchanged
there                seems to differ            same object        unchanged (remembered in `verdicts`)
there                seems to differ            another object     configure
there                seems to differ            not possible yet   configure (its CRD is changed first)
there                seems to differ            conflict           conflict, or configure with takeover
any                  any                        refused            unknown, with the reason
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from meshflow.clients.kube import Kube
from meshflow.engine.verdicts import Verdicts
from meshflow.errors import Conflict, MeshflowError, NotFound, Rejected, Temporary
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference
from meshflow.plan import changes, compare, digest, ignore, managers, ownership, paths, prepare
from meshflow.plan.model import Action, Entry

log = logging.getLogger(__name__)

UNASKED = "its definition changes first: what that makes of it, the server cannot be asked before"


@dataclass(frozen=True)
class Comparer:
    """Compares the objects of one plan; its fields are what is the same for all of them.

    `coming` names what is created first and the cluster lacks: (group, kind) of definitions, ("namespace", name).
    `changing` names definitions that are there and will be changed first: until then the server refuses what is new.
    `elsewhere` says which other set has an object in its inventory.
    """

    kube: Kube
    manager: str
    takeover: bool
    verdicts: Verdicts
    context: ignore.Context
    coming: frozenset[tuple[str, str]]
    elsewhere: Mapping[Reference, str]
    changing: frozenset[tuple[str, str]] = frozenset()

    async def entry(self, item: Desired, live: Obj | None) -> Entry:
        """What would happen to one object; `live` is None when it does not exist. Never raises a MeshflowError."""
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
        if deleted := being_deleted(live):
            return replace(base, action=Action.UNKNOWN, message=deleted, retriable=True)
        left = ignore.left_to_others(declared, live, self.context, manager=self.manager)
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
            return replace(entry, message=f"{what} is created first")
        try:
            await self.kube.apply(declared, manager=self.manager, dry_run=True)
        except MeshflowError as error:
            return self._refused(entry, error)
        return entry

    def _refused(self, entry: Entry, error: MeshflowError) -> Entry:
        """The entry of an object that the server will not look at; also where that will be another matter by then."""
        kind = (entry.reference.group, entry.reference.kind)
        if kind in self.changing and isinstance(error, NotFound | Rejected) and not isinstance(error, Conflict):
            action = Action.CREATE if entry.uid is None else Action.CONFIGURE
            return replace(entry, action=action, message=UNASKED)
        told = f"{error}. Apply what defines it first" if isinstance(error, NotFound) else str(error)
        return replace(entry, action=Action.UNKNOWN, message=told, retriable=isinstance(error, Temporary))

    def _comes_first(self, reference: Reference) -> str:
        """What must be there, and will be, before the server can be asked about the object; else empty."""
        if (reference.group, reference.kind) in self.coming:
            return "its definition"
        return "its namespace" if ("namespace", reference.namespace or "") in self.coming else ""

    async def _ask(self, base: Entry, sent: Obj, live: Obj) -> Entry:
        try:
            after = await self.kube.apply(sent, manager=self.manager, dry_run=True)
        except Conflict as conflict:
            return await self._in_conflict(base, sent, live, conflict)
        except MeshflowError as error:
            return self._refused(base, error)
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
            return self._refused(base, error)
        differing = changes.between(await self._same_age(live, after), after)
        message = managers.conflict_message(conflict.fields)
        if self.takeover:
            return replace(
                base, action=Action.CONFIGURE, changes=differing, takeover=True, message=f"takes over: {message}"
            )
        return replace(base, action=Action.CONFLICT, changes=differing, message=message)

    async def _same_age(self, live: Obj, after: Obj) -> Obj:
        """The live object as the dry-run saw it, and in the same version of its kind.

        Between list and dry-run a controller may have written to it; and of a kind that the set declares in two
        versions only one was listed.
        """
        same_write = live["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion")
        if same_write and live["apiVersion"] == after["apiVersion"]:
            return live
        return await self.kube.get(Reference.of(live), version=version_of(after)) or live


def _verdict(sent: Obj, live: Obj) -> dict[str, str]:
    metadata = live["metadata"]
    return {
        "uid": metadata.get("uid", ""),
        "resource_version": metadata.get("resourceVersion", ""),
        "digest": digest.of(sent),
    }


def being_deleted(live: Obj) -> str:
    """Since when, and what for it waits; empty where nobody deletes it."""
    metadata = live["metadata"]
    if not metadata.get("deletionTimestamp"):
        return ""
    last = "what is in it" if live.get("kind") == "Namespace" else "its grace period"
    waits = ", ".join(metadata.get("finalizers") or ()) or last
    return f"is being deleted since {metadata['deletionTimestamp']} and waits for {waits}"


def version_of(obj: Obj) -> str:
    """`v1` of `apps/v1`."""
    return str(obj["apiVersion"]).rpartition("/")[2]
