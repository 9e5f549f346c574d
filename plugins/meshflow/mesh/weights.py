"""Where the traffic of a service really goes: read from its VirtualService, never from the Canary's status.

The status cannot be trusted for it: in WaitingPromotion it says canaryWeight 0 while the VirtualService still splits.
Flagger writes v1beta1 and the store holds v1; the fields read here are the same in both.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meshflow.objects.reference import Obj


class Traffic(StrEnum):
    """Which side has it."""

    PRIMARY = "primary"
    CANARY = "canary"
    SPLIT = "split"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Weights:
    """Percent of the traffic. `matched` says that only requests that match the A/B conditions are meant."""

    primary: int
    canary: int
    matched: bool = False

    @property
    def traffic(self) -> Traffic:
        if self.canary == 0:
            return Traffic.PRIMARY if self.primary else Traffic.UNKNOWN
        return Traffic.CANARY if self.primary == 0 else Traffic.SPLIT

    def __str__(self) -> str:
        whose = " of matching requests" if self.matched else ""
        return f"{self.primary}% primary, {self.canary}% canary{whose}"

    def to_json(self) -> dict[str, Any]:
        return {"primary": self.primary, "canary": self.canary, "matched": self.matched}


def weights(virtual_service: Obj | None, *, service: str) -> Weights | None:
    """The split between `SERVICE-primary` and `SERVICE-canary`; None when no route names the canary.

    With session affinity several routes name it; the one that sets cookies is the one that splits. Of others the one
    with most on the canary counts. With A/B conditions the second route, for everybody else, names the primary alone
    and is not looked at.
    """
    spec = (virtual_service or {}).get("spec") or {}
    hosts = (f"{service}-primary", f"{service}-canary")
    routes = [route for route in [*spec.get("http", []), *spec.get("tcp", [])] if hosts[1] in _by_host(route)]
    if not routes:
        return None
    sticky = [route for route in routes if any(part.get("headers") for part in route["route"])]
    route = sticky[-1] if sticky else max(routes, key=lambda item: _by_host(item)[hosts[1]])
    split = _by_host(route)
    alone = _names_primary_alone(spec, host=hosts[0])
    return Weights(split.get(hosts[0], 0), split[hosts[1]], matched=bool(route.get("match")) and alone)


def _by_host(route: Obj) -> dict[str, int]:
    """Weight by the first label of the destination's host; a lone destination without weight has all of it."""
    parts = route.get("route") or []
    whole = 100 if len(parts) == 1 else 0
    found: Counter[str] = Counter()
    for part in parts:
        found[part["destination"]["host"].split(".")[0]] += int(part.get("weight", whole))
    return found


def _names_primary_alone(spec: Obj, *, host: str) -> bool:
    return any(set(_by_host(route)) == {host} for route in spec.get("http", []))
