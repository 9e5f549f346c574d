"""What a plan is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from meshflow.objects.reference import Reference


class Action(StrEnum):
    """What would happen to one object. `sentence` is how logs, the audit page and the docs explain the word."""

    CREATE = "create"
    CONFIGURE = "configure"
    UNCHANGED = "unchanged"
    PRUNE = "prune"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Action.CREATE: "The object does not exist yet and would be created.",
    Action.CONFIGURE: "The object exists and fields that we declare would change.",
    Action.UNCHANGED: "The object is as declared; nothing would be written.",
    Action.PRUNE: "The object was ours, is declared no longer, and would be deleted.",
    Action.CONFLICT: "Another field manager owns a field that we declare differently; settle that first.",
    Action.UNKNOWN: "The object could not be compared; the message says why.",
}


@dataclass(frozen=True)
class Change:
    """One field: its value now and after. None stands for absent.

    `manager` is the field manager that wrote the present value last and `time` when (RFC 3339), None where nobody is
    recorded: a default of the server, or a field that does not exist yet. Values of Secrets are masked already.
    """

    path: str
    old: Any
    new: Any
    manager: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Entry:
    """One object of a plan.

    `leave` holds paths of fields that are declared but belong to someone else by a rule (plan/ignore.py): they are
    left out of what is written. `takeover` says that the write forces its way over the other managers in `changes`.
    `retriable` says of an `unknown` that planning again may do: the server was busy, the object is being deleted.
    `uid` and `resource_version` are those of the live object that was compared, None where there is none.
    """

    reference: Reference
    action: Action
    changes: tuple[Change, ...] = ()
    origin: str | None = None
    message: str = ""
    leave: tuple[str, ...] = ()
    takeover: bool = False
    retriable: bool = False
    uid: str | None = None
    resource_version: str | None = None

    def __str__(self) -> str:
        return f"{self.reference} {self.action}"


@dataclass(frozen=True)
class Plan:
    """All objects of one set, in the order in which they would be written, those to prune last.

    `digest` is the hash of the desired objects that the plan was made from: applying other objects is `Stale`.
    `prune_refusal` is a sentence when the plan would prune more than its budget, else empty.
    """

    entries: tuple[Entry, ...]
    cluster: str
    digest: str
    set_name: str
    prune_refusal: str = ""
    _by_reference: Mapping[Reference, Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_reference", {entry.reference: entry for entry in self.entries})

    def entry(self, reference: Reference) -> Entry | None:
        """The entry of one object; None when the plan does not have it."""
        return self._by_reference.get(reference)

    def counts(self) -> dict[str, int]:
        """How many objects per action; every action is there, zeros included."""
        counted = Counter(entry.action for entry in self.entries)
        return {action.value: counted[action] for action in Action}

    def having(self, *actions: Action) -> tuple[Entry, ...]:
        """The entries with one of these actions, in order."""
        return tuple(entry for entry in self.entries if entry.action in actions)

    @property
    def changed(self) -> tuple[Entry, ...]:
        """Everything that is not `unchanged`: what a person wants to see."""
        return tuple(entry for entry in self.entries if entry.action is not Action.UNCHANGED)

    @property
    def writes(self) -> tuple[Entry, ...]:
        """What applying would write or delete."""
        return self.having(Action.CREATE, Action.CONFIGURE, Action.PRUNE)
