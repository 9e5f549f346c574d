"""The stages of an apply: what must be there, and healthy, before the rest is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Reference

DEFINITIONS = "definitions"
MAIN = "main"
WEBHOOKS = "webhooks"


class Stage(NamedTuple):
    """Objects that are written together; the next stage starts when these are healthy."""

    name: str
    references: tuple[Reference, ...]


def stages(desired: Iterable[Desired]) -> list[Stage]:
    """The non-empty stages in order: `definitions` (CRDs, namespaces), `main`, `webhooks`."""
    raise NotImplementedError
