"""A plan carried out: server-side apply in stages, then pruning. A repeated or interrupted apply does no harm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meshflow.clients.kube import Kube
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Reference
from meshflow.plan.model import Action, Plan
from meshflow.plan.stages import Stage


class Applied(NamedTuple):
    """One write. `resource_version` is None for what was pruned."""

    reference: Reference
    action: Action
    resource_version: str | None


async def begin(kube: Kube, desired: Sequence[Desired], plan: Plan, *, allow_prune: bool = False) -> None:
    """Check that the plan may be applied, then record every object of it in the inventory, before the first write.

    Raises Stale (other objects than planned), Conflict, Rejected (entries `unknown`), PruneRefused (over budget, unless
    `allow_prune`: a person approved). Writes nothing when all objects are in the inventory already.
    """
    raise NotImplementedError


async def apply(
    kube: Kube, desired: Sequence[Desired], plan: Plan, *, stage: Stage, manager: str = "meshflow", concurrency: int = 8
) -> list[Applied]:
    """Write the objects of one stage that differ, in their order; returns what was written."""
    raise NotImplementedError


async def finish(kube: Kube, desired: Sequence[Desired], plan: Plan) -> list[Applied]:
    """Delete what the plan prunes, then narrow the inventory to what is declared or protected."""
    raise NotImplementedError
