"""One look at the health of objects."""

from __future__ import annotations

from collections.abc import Sequence

from meshflow.clients.kube import Kube
from meshflow.engine import reading
from meshflow.health import judge
from meshflow.health.model import Health
from meshflow.objects.reference import Reference


async def look(kube: Kube, references: Sequence[Reference]) -> dict[Reference, Health]:
    """The health of each object now, by as few requests as its kinds allow."""
    live = await reading.read(kube, references)
    return {reference: judge.judge(live.get(reference)) for reference in references}
