"""Has the gateway an address, and does it answer?"""

from __future__ import annotations

from collections.abc import Sequence

from meshflow.gates.model import Result, Verdict
from meshflow.mesh import gateway
from meshflow.mesh.gateway import Reach
from meshflow.objects.reference import Obj

ADDRESS, ANSWERS = "gateway.address", "gateway.answers"


def has_address(
    service: Obj | None, *, nodes: Sequence[Obj] = (), port: int | None = None, asked_for: str | None = None
) -> Verdict:
    """Whether callers can reach the gateway's Service; a load balancer that has no address yet is a fail.

    `port` is the one of the Service that callers use; None: https where the Service has it, else http. `asked_for` is
    the host name that they send, which the evidence repeats.
    """
    if service is None:
        return Verdict(ADDRESS, Result.FAIL, "the gateway has no Service")
    found = gateway.address(service, nodes=nodes, port=port)
    numbers = {"reach": found.reach.value, "host": found.host or "none", "url": found.url() or "none"}
    if port is not None and not found.ports:
        return Verdict(ADDRESS, Result.FAIL, f"the gateway's Service has no port {port}", numbers)
    result = Result.FAIL if found.reach is Reach.PENDING else Result.PASS
    named = f"; clients ask it for {asked_for}" if asked_for else ""
    return Verdict(ADDRESS, result, found.message + named, numbers)


def answers(status: int | None, *, asked: str) -> Verdict:
    """Whether the gateway says by its status port that it is ready; anything but 200 is somebody else's answer."""
    numbers = {"status": status if status is not None else "none"}
    if status is None:
        return Verdict(ANSWERS, Result.INCONCLUSIVE, f"{asked} gave no status", numbers)
    result = Result.PASS if status == 200 else Result.FAIL
    return Verdict(ANSWERS, result, f"{asked} answered {status}", numbers)
