"""The store: all objects by resource, one counter of versions, and the recent past of each resource.

It lives on one event loop and never awaits, so each call is a transaction. Objects are handed out without copying:
whoever wants to change one makes a new one. The past is a log of events per resource; it serves watches that start
earlier and the later pages of a list, and is forgotten from its old end (`Expired`).
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.store.records import Change, Event, Record

Obj = dict[str, Any]
Storage = tuple[str, str]  # (group, plural)
Key = tuple[str, str]  # (namespace or "", name)
Listener = Callable[[Event | None], None]  # None: the resource is gone, nothing will follow

HISTORY = 5000  # events that each resource remembers


class Expired(Exception):
    """The version is older than what is remembered."""


class Shelf:
    """The objects of one resource, its log and its listeners."""

    def __init__(self, since: int) -> None:
        self.since = since  # events up to this version are not known
        self.records: dict[Key, Record] = {}
        self.log: deque[Event] = deque()
        self.listeners: dict[Listener, None] = {}
        self._order: list[Key] | None = None

    def ordered(self) -> list[Key]:
        """Return all keys by namespace and name."""
        if self._order is None:
            self._order = sorted(self.records)
        return self._order

    def publish(self, key: Key, event: Event) -> None:
        if event.change is Change.DELETED:
            del self.records[key]
            self._order = None
        else:
            if event.previous is None:
                self._order = None
            self.records[key] = event.record
        self.log.append(event)
        if len(self.log) > HISTORY:
            self.since = self.log.popleft().version
        for listener in list(self.listeners):
            listener(event)

    def forget(self, listener: Listener) -> None:
        self.listeners.pop(listener, None)

    def after(self, version: int) -> list[Event]:
        """Return the events later than `version`, oldest first. Raises Expired."""
        if version < self.since:
            raise Expired
        found = []
        for event in reversed(self.log):
            if event.version <= version:
                break
            found.append(event)
        return found[::-1]

    def at(self, version: int) -> dict[Key, Record]:
        """Return the objects as they were at `version`. Raises Expired."""
        state = dict(self.records)
        for event in reversed(self.after(version)):
            key = key_of(event.record.obj)
            if event.previous is None:
                del state[key]
            else:
                state[key] = event.previous
        return state


class Store:
    """All objects of the cluster. `writers` counts the writes of each field manager, or of the client's User-Agent."""

    def __init__(self) -> None:
        self.version = 1
        self.writers: Counter[str] = Counter()
        self._shelves: dict[Storage, Shelf] = {}

    def shelf(self, storage: Storage) -> Shelf:
        """Return the shelf of a resource; a new one knows nothing from before."""
        found = self._shelves.get(storage)
        if found is None:
            found = self._shelves[storage] = Shelf(self.version)
        return found

    def open(self, storage: Storage, *, since: int) -> None:
        """Make the shelf of a built-in resource, whose (empty) past reaches back to `since`."""
        self._shelves.setdefault(storage, Shelf(since))

    def drop(self, storage: Storage) -> None:
        """Forget a resource altogether, without events; its listeners hear that nothing will follow."""
        shelf = self._shelves.pop(storage, None)
        for listener in list(shelf.listeners) if shelf else ():
            listener(None)

    def get(self, storage: Storage, namespace: str | None, name: str) -> Record | None:
        shelf = self._shelves.get(storage)
        return shelf.records.get((namespace or "", name)) if shelf else None

    def list(self, storage: Storage, namespace: str | None = None) -> Iterator[Record]:
        """Yield the records of one namespace, or of all (None), by namespace and name."""
        shelf = self._shelves.get(storage)
        if shelf is None:
            return
        for key in shelf.ordered():
            if namespace is None or key[0] == namespace:
                yield shelf.records[key]

    @property
    def writes(self) -> int:
        """How many writes there were, whoever made them."""
        return self.writers.total()

    def put(self, storage: Storage, obj: Obj, *, by: str = "unknown") -> Record:
        """Store a new object or a new state. The resourceVersion is set on `obj`, which the store then owns."""
        shelf = self.shelf(storage)
        key = key_of(obj)
        previous = shelf.records.get(key)
        record = self._stamp(obj, by)
        change = Change.MODIFIED if previous else Change.ADDED
        shelf.publish(key, Event(change, record, previous))
        return record

    def remove(
        self, storage: Storage, namespace: str | None, name: str, *, last: Obj | None = None, by: str = "unknown"
    ) -> Record:
        """Remove an object and return its last state with the version of the removal.

        `last` is that last state where it differs from the stored one. Raises KeyError where there is none.
        """
        shelf = self.shelf(storage)
        key = (namespace or "", name)
        previous = shelf.records[key]
        obj = last if last is not None else previous.obj
        record = self._stamp({**obj, "metadata": dict(obj["metadata"])}, by)
        shelf.publish(key, Event(Change.DELETED, record, previous))
        return record

    def listen(self, storage: Storage, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each event of the resource, as it happens; returns what ends that."""
        shelf = self.shelf(storage)
        shelf.listeners[listener] = None
        return lambda: shelf.forget(listener)

    def _stamp(self, obj: Obj, by: str) -> Record:
        self.version += 1
        self.writers[by] += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        return Record(obj, self.version)


def key_of(obj: Obj) -> Key:
    metadata = obj["metadata"]
    return (metadata.get("namespace") or "", metadata["name"])
