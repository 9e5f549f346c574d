"""Whether objects are healthy: one look, or a short wait driven by a watch. Long waits are deferred."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext

from meshflow.clients.kube import Kube
from meshflow.clients.watch import WatchHub
from meshflow.engine import reading
from meshflow.health import judge
from meshflow.health.judge import Summary
from meshflow.health.model import Health
from meshflow.objects.reference import Reference


async def look(kube: Kube, references: Sequence[Reference]) -> dict[Reference, Health]:
    """The health of each object now, by as few requests as its kinds allow."""
    live = await reading.read(kube, references)
    return {reference: judge.judge(live.get(reference)) for reference in references}


async def for_health(kube: Kube, references: Sequence[Reference], *, seconds: float) -> Summary:
    """The summary once every object is current, or what it is after `seconds`. Raises nothing for unhealthy objects."""
    summary = judge.summarize(await look(kube, references))
    if summary.done or seconds <= 0:
        return summary
    hub = WatchHub(lambda: nullcontext(kube))
    try:
        async with asyncio.timeout(seconds), hub.following(references) as view:
            number = -1
            while not summary.done:
                number = await hub.changed(number)
                seen = view.current()
                if seen is not None:
                    summary = judge.summarize({reference: judge.judge(obj) for reference, obj in seen.items()})
    except TimeoutError:
        pass  # the summary says what is missing
    finally:
        await hub.close()
    return summary
