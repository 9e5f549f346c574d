"""One list and one watch per resource and scope of a cluster, however many wait on it.

SIGNATURES, agreed with the triggers (plugins/meshflow/triggers/cluster.py is the caller).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from meshflow.clients.kube import Kube
from meshflow.objects.reference import Obj, Reference


class Scope(NamedTuple):
    """All objects of a kind in a namespace (None: in all of them)."""

    group: str
    kind: str
    namespace: str | None


class View:
    """What one follower sees. Never shows an object older than one it showed before."""

    def current(self) -> Mapping[Reference, Obj | None] | None:
        """Every followed object, None where there is none; None as a whole until each was listed once.

        Objects of a followed Scope are in it too, under their references.
        """
        raise NotImplementedError

    @property
    def trouble(self) -> str:
        """Why nothing can be seen at the moment (a sentence), else empty: for the message of an expired wait."""
        raise NotImplementedError


class WatchHub:
    """Connects by `connect` when somebody first follows something, and closes when nobody does any more.

    A reference is watched by name-less list and watch of its kind in its namespace: two followers of different objects
    of one kind and namespace share both. 410 lists again; errors and lost connections come back with backoff and
    jitter, for ever; a resync list every `resync` seconds. The error of one follower never reaches another.
    """

    def __init__(
        self, connect: Callable[[], AbstractAsyncContextManager[Kube]], *, resync: float = 300.0, **knobs: Any
    ) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def following(self, interest: Sequence[Reference | Scope]) -> AsyncIterator[View]:
        """Watch these objects while the context is open."""
        raise NotImplementedError
        yield

    async def changed(self, after: int, *, within: float) -> int:
        """Wait until something followed changed later than change number `after`, at most `within` seconds.

        Returns the number of the latest change (0 before the first); `after` itself means that nothing happened. Never
        raises for the cluster's sake. Changes within a few milliseconds are one.
        """
        raise NotImplementedError
