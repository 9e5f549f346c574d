"""The ways a service's image reaches its users, and the one place where a service's own manifests choose between them.

in_place    a workload gets the image; Flagger moves the traffic, or, without a Canary, the workload its pods
blue_green  the idle one of two Deployments gets it; the Service's selector switches once that is ready
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube
    from meshflow.objects.parsing import Desired
    from meshflow.objects.reference import Reference
    from meshflow.settings import Mesh
    from meshflow.triggers.cluster import ClusterTrigger

T = TypeVar("T")
Say = Callable[[str], None]
Found = Mapping[str, Any]
"""What `Way.release` hands to the task that follows: JSON-simple."""


class Ask(Protocol):
    """A question about the cluster, on a connection of its own."""

    def __call__(self, question: Callable[[Kube], Awaitable[T]], /) -> T: ...


class Notes(Protocol):
    """What a task notes for its next try: Airflow's task state store."""

    def get(self, key: str) -> Any: ...

    def set(self, key: str, value: Any) -> None: ...


class Live(NamedTuple):
    """What is there before a release."""

    installed: bool
    released: str | None  # the image that a release gave it; None: none did
    before: Mapping[str, str]  # the Canary's status, which our write changes; empty without one


@dataclass(frozen=True)
class Order:
    """One release to be carried out. `notes` survive a retry of the task; `say` is its log."""

    pinned: str
    release_id: str
    installed: bool  # whether the service was there when the release was asked for
    before: Mapping[str, str]
    notes: Notes = field(repr=False)
    say: Say = field(repr=False)


class Way(ABC):
    """How one service is released. Knows its manifests; what is in the cluster it asks each time."""

    def __init__(self, mesh: Mesh, service: str) -> None:
        self.mesh, self.service = mesh, service

    @property
    @abstractmethod
    def image(self) -> str:
        """The image that the manifests carry: what a first installation starts from."""

    @property
    @abstractmethod
    def workloads(self) -> tuple[Reference, ...]:
        """The workloads that run it."""

    @property
    def canary(self) -> str | None:
        """The name of the Canary that watches it, None without one."""
        return None

    @abstractmethod
    async def look(self, kube: Kube) -> Live:
        """What is there now."""

    @abstractmethod
    async def desired(
        self, kube: Kube, objects: Sequence[Desired], *, pinned: str | None, release_id: str
    ) -> tuple[Desired, ...]:
        """The objects as `meshflow` applies them, without what releases own."""

    @abstractmethod
    async def release(self, kube: Kube, order: Order) -> dict[str, Any] | None:
        """Set the image; what has to be followed, None when what serves runs it already. Safe to repeat."""

    @abstractmethod
    def trigger(self, found: Found | None, *, cluster: str, wait: timedelta) -> ClusterTrigger:
        """What waits until `conclude` has an answer. Without `found`: until the service is healthy as it is."""

    @abstractmethod
    def conclude(self, event: Mapping[str, Any], found: Found | None, *, ask: Ask, say: Say) -> dict[str, Any]:
        """{outcome, message, timeline, …} after the trigger's event. May write, where the way has a last step."""


def of(mesh: Mesh, service: str, objects: Sequence[Desired] | None = None) -> Way:
    """The way of a service; `objects` are its manifests where they were rendered already.

    Raises InvalidInput when the manifests fit none.
    """
    from meshflow.mesh import strategy
    from meshflow.operators.blue_green import BlueGreen
    from meshflow.operators.in_place import InPlace
    from meshflow.sources import render

    if objects is None:  # without charts: nothing is fetched, for the task `render` has checked the manifests
        objects = render.service(mesh, service).objects
    pair = strategy.of(item.obj for item in objects) is strategy.Strategy.PLAIN_BLUE_GREEN
    return (BlueGreen if pair else InPlace)(mesh, service, objects)


def by_health(event: Mapping[str, Any], found: Found | None, *, service: str, ask: Ask) -> dict[str, Any]:
    """The outcome where health is all there is to see: raises Degraded or WaitExpired when it did not come."""
    from meshflow.operators import waits

    waits.end(event, what=service, ask=ask)
    message = f"{service}: the workload is healthy and runs {'what was asked for' if found else 'what it ran'}"
    return {"outcome": "succeeded" if found else "skipped", "message": message, "timeline": []}
