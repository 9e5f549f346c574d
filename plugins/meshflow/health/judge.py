"""From a live object to its health: a table from kinds to one small function each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meshflow.health.model import Health
from meshflow.objects.reference import Obj, Reference


class Summary(NamedTuple):
    """All objects together: `done` when each is current, `failed` when one is degraded; lines name the others."""

    done: bool
    failed: bool
    waiting: tuple[str, ...]  # `Kind/namespace/name: message` of what is not current yet
    broken: tuple[str, ...]  # the same of what is degraded
    counts: dict[str, int]


def judge(obj: Obj | None) -> Health:
    """The health of one live object; None is `missing`. Never fetches, never raises on a half-filled status."""
    raise NotImplementedError


def summarize(healths: Mapping[Reference, Health]) -> Summary:
    """The objects of a stage taken together, lines in a stable order."""
    raise NotImplementedError
