"""Desired objects held against a cluster. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from meshflow.clients.kube import Kube
from meshflow.engine.verdicts import Verdicts
from meshflow.objects.parsing import Desired
from meshflow.plan.model import Plan

MANAGER = "meshflow"


async def plan(
    kube: Kube,
    desired: Sequence[Desired],
    *,
    set_name: str,
    manager: str = MANAGER,
    takeover: bool = False,
    prune_budget: float = 0.25,
    verdicts: Verdicts | None = None,
) -> Plan:
    """What applying `desired` as the set `set_name` would do.

    Raises only when the cluster as a whole does not answer (Unreachable, Unauthorized, Forbidden, ServerBusy); what
    goes wrong with one object is an entry `unknown`.
    """
    raise NotImplementedError
