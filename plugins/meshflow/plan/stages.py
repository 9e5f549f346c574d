"""The stages of an apply: what must be there, and healthy, before the rest is written.

definitions   CRDs and namespaces; wait until the CRDs are Established
main          everything else, in the order of objects/order.py
webhooks      admission webhooks, last: one with failurePolicy Fail and no server behind it blocks what it is about
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshflow.objects import order
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Reference

DEFINITIONS = "definitions"
MAIN = "main"
WEBHOOKS = "webhooks"

_DEFINITIONS = frozenset((("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")))
_WEBHOOK_GROUP = "admissionregistration.k8s.io"


class Stage(NamedTuple):
    """Objects that are written together, in their order; the next stage starts when these are healthy."""

    name: str
    references: tuple[Reference, ...]


def stages(desired: Iterable[Desired]) -> list[Stage]:
    """The non-empty stages in order."""
    members: dict[str, list[Reference]] = {DEFINITIONS: [], MAIN: [], WEBHOOKS: []}
    for reference in order.ordered(item.reference for item in desired):
        members[_stage_of(reference)].append(reference)
    return [Stage(name, tuple(references)) for name, references in members.items() if references]


def _stage_of(reference: Reference) -> str:
    if (reference.group, reference.kind) in _DEFINITIONS:
        return DEFINITIONS
    return WEBHOOKS if reference.group == _WEBHOOK_GROUP else MAIN
