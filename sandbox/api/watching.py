"""Watches: the events of one resource from a version on, seen through a selection.

Leaving the selection is DELETED (with the last selected state and the version of the change), entering is ADDED.
A version that the log no longer holds is an `Expired` before the first event; the caller words it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api.calls import Query, boolean, integer
from sandbox.api.errors import ApiError, invalid_options, plain_failure
from sandbox.api.resources import Resource
from sandbox.schema.errors import FieldError, Reason
from sandbox.store.records import Change, Event, Record

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
Selected = Callable[[Obj], bool]

BOOKMARK = "BOOKMARK"
BOOKMARK_EVERY = 10.0  # real seconds without an event
LONGEST = 1800  # seconds until a watch without timeoutSeconds ends


class Options(NamedTuple):
    """How to watch."""

    version: int | None  # start after this; None: start with what is there
    timeout: float
    bookmarks: bool
    initial_bookmark: bool  # sendInitialEvents: mark the end of what is there


class Seen(NamedTuple):
    """One event for the watcher; a bookmark has no record but a version."""

    change: str
    record: Record | None
    version: int
    initial_end: bool = False


def options(query: Query) -> Options:
    """Return the options of a watch. Raises 422, or 500 for a resourceVersion that is no number."""
    match, initial = query.get("resourceVersionMatch", ""), query.get("sendInitialEvents")
    problem = ""
    if initial is not None and not match:
        problem = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    elif match and initial is None:
        problem = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    if problem:
        raise invalid_options(
            "ListOptions", [FieldError(Reason.FORBIDDEN, "resourceVersionMatch", f"Forbidden: {problem}")]
        )
    text = query.get("resourceVersion") or "0"
    if not text.isdigit():
        raise plain_failure(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    streaming = boolean(query, "sendInitialEvents")
    from_start = streaming or (int(text) == 0 and initial is None)
    bookmarks = boolean(query, "allowWatchBookmarks")
    return Options(
        version=None if from_start else int(text),
        timeout=integer(query, "timeoutSeconds") or LONGEST,
        bookmarks=bookmarks,
        initial_bookmark=streaming and bookmarks,
    )


class Watch:
    """An open watch. Make it, ask for each `batch`, and `close` it; events are kept from the moment it is made.

    Raises `store.Expired` at once when the version is too old.
    """

    def __init__(self, server: "Server", resource: Resource, selected: Selected, version: int | None) -> None:
        self._selected = selected
        self._waiting: deque[Event | None] = deque()
        self._ended = False
        self._error: ApiError | None = None
        self._more = asyncio.Event()
        store = server.store
        shelf = store.shelf(resource.storage)
        self._first: list[Seen] = []
        if version is None:
            records = store.list(resource.storage)
            self._first = [Seen(Change.ADDED, r, r.version) for r in records if selected(r.obj)]
            self.version = store.version
        else:
            self._waiting.extend(event for event in shelf.after(version))
            self.version = max(version, 0)
        self._after = version or 0
        self._store = store
        self._close = store.listen(resource.storage, self._hear)
        if self._waiting:
            self._more.set()

    def close(self) -> None:
        self._close()

    def end(self, error: ApiError | None = None) -> None:
        """Let the iteration end after what is waiting, with `error` where there is one."""
        self._error = error
        self._hear(None)

    def initial(self) -> list[Seen]:
        """Return what was there when the watch began, as ADDED."""
        return self._first

    async def batch(self, *, pause: float | None = None) -> list[Seen] | None:
        """Return the events that came since the last batch; [] after `pause` real seconds without any.

        None is the end. Raises what `end` was given, once all events before it were returned.
        """
        while True:
            waiting, self._waiting = self._waiting, deque()
            if seen := list(self._views(waiting)):
                return seen
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), pause)
            except TimeoutError:
                self.version = max(self.version, self._store.version)
                return []

    def _views(self, waiting: Iterable[Event | None]) -> Iterator[Seen]:
        for event in waiting:
            if event is None:
                self._ended = True
                return
            self.version = event.version
            if event.version > self._after and (seen := self._view(event)) is not None:
                yield seen

    def _hear(self, event: Event | None) -> None:
        self._waiting.append(event)
        self._more.set()

    def _view(self, event: Event) -> Seen | None:
        now = event.change is not Change.DELETED and self._selected(event.record.obj)
        before = event.previous is not None and self._selected(event.previous.obj)
        if now:
            return Seen(Change.MODIFIED if before else Change.ADDED, event.record, event.version)
        if not before:
            return None
        if event.change is Change.DELETED:
            return Seen(Change.DELETED, event.record, event.version)
        assert event.previous is not None
        last = event.previous.obj
        metadata = {**last["metadata"], "resourceVersion": str(event.version)}
        return Seen(Change.DELETED, Record({**last, "metadata": metadata}, event.version), event.version)
