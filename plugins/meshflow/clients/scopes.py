"""The state that a hub keeps: scopes, and what one follower sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from meshflow.clients.answers import Event
from meshflow.clients.kube import Kube
from meshflow.errors import MeshflowError
from meshflow.objects.reference import Obj, Reference

ScopeKey = tuple[str, str, str | None]
"""(group, kind, namespace); the namespace is None for a cluster-scoped kind."""

EVERY = "*"
"""As the name in a reference: all objects of that kind in that namespace."""


class Observation(NamedTuple):
    """What one object is now; `obj` is None when it does not exist."""

    reference: Reference
    obj: Obj | None


class Scope:
    """The present objects of one kind in one namespace, and how well they are known."""

    def __init__(self, key: ScopeKey) -> None:
        self.key = key
        self.objects: dict[Reference, Obj] = {}
        self.synced = False  # listed at least once
        self.trouble: MeshflowError | None = None  # why the state may be old; None while the watch works
        self.client: Kube | None = None  # through which it listens
        self.watching: asyncio.Timeout | None = None  # running out ends its watch
        self.watched_since: float | None = None  # by the hub's clock; None before the first watch after a failure
        self.followers = 0
        self.task: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        group, kind, namespace = self.key
        return f"{kind}{f'.{group}' if group else ''}{f' in {namespace}' if namespace else ''}"

    def replace(self, items: Iterable[Obj]) -> None:
        """The whole state, from a list."""
        self.objects = {Reference.of(item): item for item in items}
        self.synced, self.trouble = True, None

    def take(self, event: Event) -> bool:
        """One event of the watch; whether it changed anything."""
        if event.type == "BOOKMARK":
            return False
        reference = Reference.of(event.obj)
        if event.type == "DELETED":
            return self.objects.pop(reference, None) is not None
        self.objects[reference] = event.obj
        return True


class View:
    """What one follower sees of the hub."""

    def __init__(self, references: Sequence[Reference], scopes: Sequence[Scope]) -> None:
        self._scopes = {scope.key: scope for scope in scopes}
        self._named = [reference for reference in references if reference.name != EVERY]
        self._whole = [self._scopes[key_of(reference)] for reference in references if reference.name == EVERY]

    def current(self) -> dict[Reference, Obj | None] | None:
        """Each object followed, None for what does not exist; None altogether until all scopes were listed once.

        Where all objects of a scope are followed (`EVERY`), those that exist are in it.
        """
        if not all(scope.synced for scope in self._scopes.values()):
            return None
        seen: dict[Reference, Obj | None] = {
            reference: self._scopes[key_of(reference)].objects.get(reference) for reference in self._named
        }
        for scope in self._whole:
            seen.update(scope.objects)
        return seen

    @property
    def trouble(self) -> MeshflowError | None:
        """Why the view may be old, or is still empty: the error that the cluster gives at present."""
        return next((scope.trouble for scope in self._scopes.values() if scope.trouble), None)


def key_of(reference: Reference) -> ScopeKey:
    return reference.group, reference.kind, reference.namespace
