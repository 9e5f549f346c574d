"""How containers behave: how long each step takes, and what goes wrong. A table of rules that faults may change.

    behaviours.add(Rule(image="*/app:2*", changes={"crash_after": 1.0}))      crash loop
    behaviours.add(Rule(namespace="weather", changes={"ready": 30.0}))        slow start
    behaviours.add(Rule(image="*bad*", changes={"pull_error": "not found"}))  ImagePullBackOff
    behaviours.add(Rule(pod="kafka-*", changes={"never_ready": True}))

Durations count for containers that start afterwards; crashes, readiness and pull errors reach those that are there too.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Behaviour:
    """One container's way of life. Durations are seconds of the simulation."""

    pull: float = 0.1  # from having a node to having the image
    start: float = 0.05  # from the image to the running process
    ready: float = 0.15  # from running to ready
    init: float = 0.05  # how long a plain init container runs
    run: float = 0.5  # how long a container of a pod that ends (restartPolicy Never, OnFailure) runs
    stop: float = 0.1  # from the signal to the end; the pod's grace period bounds it
    pull_error: str = ""  # why the image cannot be had; empty: it can
    crash_after: float | None = None  # seconds from running to the crash; None: it does not crash
    exit_code: int = 1
    never_ready: bool = False

    @property
    def faults(self) -> tuple[Any, ...]:
        """What tells a broken container from a sound one."""
        return (self.pull_error, self.crash_after, self.never_ready)


@dataclass(frozen=True)
class Rule:
    """Changes for the containers that match all patterns (as in a shell: `*`, `?`)."""

    changes: Mapping[str, Any]
    namespace: str = "*"
    pod: str = "*"
    image: str = "*"
    container: str = "*"
    uid: object = field(default_factory=object, compare=False, repr=False)

    def matches(self, namespace: str, pod: str, container: str, image: str) -> bool:
        pairs = ((namespace, self.namespace), (pod, self.pod), (container, self.container), (image, self.image))
        return all(fnmatch.fnmatchcase(value, pattern) for value, pattern in pairs)


class Behaviours:
    """The rules in force; later ones win. `changed` is called with every change."""

    def __init__(self, default: Behaviour | None = None) -> None:
        self.default = default or Behaviour()
        self.rules: list[Rule] = []
        self.changed: Callable[[], None] = lambda: None

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force. Raises TypeError for a change that no Behaviour knows."""
        dataclasses.replace(self.default, **rule.changes)
        self.rules.append(rule)
        self.changed()
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule back; one that is not in force is no error."""
        self.rules = [r for r in self.rules if r is not rule]
        self.changed()

    def clear(self) -> None:
        self.rules = []
        self.changed()

    def of(self, namespace: str, pod: str, container: str, image: str) -> Behaviour:
        found = self.default
        for rule in self.rules:
            if rule.matches(namespace, pod, container, image):
                found = dataclasses.replace(found, **rule.changes)
        return found
