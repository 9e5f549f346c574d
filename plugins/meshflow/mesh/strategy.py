"""How a service is released, read from its own manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from meshflow.mesh.blue_green import COLOUR
from meshflow.objects.reference import Obj


class Strategy(StrEnum):
    """One sentence each in `SENTENCES`."""

    CANARY = "canary"
    BLUE_GREEN = "blue-green"
    AB = "ab"
    PLAIN_BLUE_GREEN = "plain-blue-green"
    ROLLING = "rolling"


SENTENCES: Mapping[Strategy, str] = {
    Strategy.CANARY: "Flagger moves traffic in steps while its checks hold.",
    Strategy.BLUE_GREEN: "Flagger tests the new pods without users, then gives them all of the traffic at once.",
    Strategy.AB: "Flagger sends the requests that match to the new pods, until they are promoted.",
    Strategy.PLAIN_BLUE_GREEN: "The Service's selector switches to the other Deployment once it is ready.",
    Strategy.ROLLING: "The workload replaces its pods by itself.",
}


def of(objects: Iterable[Obj]) -> Strategy:
    """The strategy that the objects of a service ask for; with a Canary by Flagger's own rule."""
    objects = list(objects)
    canary = next((item for item in objects if item["kind"] == "Canary"), None)
    if canary is not None:
        return _of_analysis(canary["spec"].get("analysis") or {})
    coloured = [item for item in objects if item["kind"] == "Service" and COLOUR in _selector(item)]
    return Strategy.PLAIN_BLUE_GREEN if coloured else Strategy.ROLLING


def _of_analysis(analysis: Mapping[str, object]) -> Strategy:
    if analysis.get("match"):
        return Strategy.AB
    return Strategy.BLUE_GREEN if analysis.get("iterations") else Strategy.CANARY


def _selector(service: Obj) -> Mapping[str, str]:
    return (service.get("spec") or {}).get("selector") or {}
