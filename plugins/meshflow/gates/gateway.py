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


def answers(status: int | None, *, asked: str, routed: bool = False) -> Verdict:
    """Whether the gateway answered a request. `routed` says that a route for it exists: then 404 is not enough.

    Before the first service is there, 404 is the right answer of a gateway that works.
    """
    numbers = {"status": status if status is not None else "none"}
    if status is None:
        return Verdict(ANSWERS, Result.INCONCLUSIVE, f"{asked} gave no status", numbers)
    if status >= 500:
        reason = f"{asked} answered {status}: the gateway is there, what it leads to is not"
        return Verdict(ANSWERS, Result.FAIL, reason, numbers)
    if status == 404 and routed:
        return Verdict(ANSWERS, Result.FAIL, f"{asked} answered 404 though a route exists", numbers)
    note = " (no route leads anywhere yet)" if status == 404 else ""
    return Verdict(ANSWERS, Result.PASS, f"{asked} answered {status}{note}", numbers)
