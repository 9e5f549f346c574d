"""A pod on the node: which of its containers have begun, since when, and how they behave.

Everything else is worked out from their ages at each look (`life.at`), so a run needs no task of its own and is looked
at only when something about it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.controllers import life
from sandbox.controllers.behaviour import Behaviour
from sandbox.controllers.life import Does, Moment
from sandbox.controllers.pod_status import Seen

if TYPE_CHECKING:
    from sandbox.clock import Clock

Obj = dict[str, Any]

PROXY = "istio-proxy"
TRY_AGAIN = 5.0  # seconds until an image that could not be had is asked for again
SHORTEST = 0.001  # seconds between two looks


@dataclass
class Container:
    """A container that the node has begun with."""

    behaviour: Behaviour
    began: float  # on the monotonic clock
    born: datetime  # the same moment for people
    restarts: int = 0  # before the present life
    told: tuple[Does | None, int] = (None, 0)  # what its last events were about, and in which turn

    def begin(self, clock: Clock, *, ago: float = 0.0) -> None:
        """Start a new life, `ago` seconds of the simulation in the past."""
        past = clock.scaled(ago)
        self.began, self.born = clock.monotonic() - past, clock.now() - timedelta(seconds=past)

    def stamp(self, age: float, *, speed: float) -> str:
        """The metav1.Time of an age."""
        return (self.born + timedelta(seconds=age / speed)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Run:
    """A pod on the node. `behaviour_of` tells how a container would behave if it began now."""

    pod: Obj
    address: str
    clock: Clock
    behaviour_of: Callable[[Obj, Obj], Behaviour]
    containers: dict[str, Container] = field(default_factory=dict)
    stop_at: float | None = None  # on the monotonic clock, once it is being deleted
    released: bool = False

    @property
    def init(self) -> list[Obj]:
        return self.pod["spec"].get("initContainers") or []

    @property
    def main(self) -> list[Obj]:
        return list(self.pod["spec"]["containers"])

    def advance(self, tell: Callable[[Run, Obj, Container, Moment], None]) -> float | None:
        """Begin with the containers whose turn it is, telling what is new. Returns when the next thing happens."""
        waits: list[float] = []
        for spec in self.init:
            moment = self._look(spec, waits, tell)
            done = moment.does is Does.ENDED and moment.exit_code == 0
            if not done and not (is_sidecar(spec) and moment.started):
                return min(waits, default=None)
        for spec in self.main:
            self._look(spec, waits, tell)
        return min(waits, default=None)

    def _look(self, spec: Obj, waits: list[float], tell: Callable[[Run, Obj, Container, Moment], None]) -> Moment:
        wanted, container = self.behaviour_of(self.pod, spec), self.containers.get(spec["name"])
        if container is None:
            container = self.containers[spec["name"]] = Container(wanted, self.clock.monotonic(), self.clock.now())
        self._take_over(spec, container, wanted)
        moment = self.moment(spec, container)
        if moment.next is not None:
            waits.append(max(SHORTEST, moment.next - self._age(container)))
        elif moment.does is Does.PULL_BACKOFF:
            waits.append(TRY_AGAIN)
        tell(self, spec, container, moment)
        return moment

    def _take_over(self, spec: Obj, container: Container, wanted: Behaviour) -> None:
        """A running container takes a new fault over from now on; a broken one gets well by being started again."""
        moment = self.moment(spec, container)
        if moment.started:
            wanted = replace(wanted, pull_error="")  # it has its image
        if wanted.faults == container.behaviour.faults or moment.does is Does.ENDED:
            return
        container.restarts += moment.restarts + (moment.does is Does.BACKOFF)
        if not moment.started:
            container.begin(self.clock)
        elif wanted.crash_after != container.behaviour.crash_after:
            container.begin(self.clock, ago=wanted.pull + wanted.start)
            wanted = replace(wanted, ready=0.0)
        container.behaviour = wanted

    def _age(self, container: Container) -> float:
        return (self.clock.monotonic() - container.began) * self.clock.speed

    def moment(self, spec: Obj, container: Container) -> Moment:
        """What the container does now."""
        restarted = self.pod["spec"].get("restartPolicy", "Always") != "Never" or is_sidecar(spec)
        lasts = self._lasts(spec, container.behaviour)
        return life.at(container.behaviour, self._age(container), lasts=lasts, restarted=restarted)

    def _lasts(self, spec: Obj, behaviour: Behaviour) -> float | None:
        """How long a container runs before it ends by itself; None: it stays.

        A proxy that is an ordinary container never ends, which is why a Job with one does not complete.
        """
        if spec in self.init:
            return None if is_sidecar(spec) else behaviour.init
        stays = self.pod["spec"].get("restartPolicy", "Always") == "Always" or spec["name"] == PROXY
        return None if stays else behaviour.run

    def seen(self, image_id: Callable[[str], str]) -> tuple[list[Seen], list[Seen]]:
        """The init containers and the main ones as they are now. Sidecars end with the last main container."""
        main = [self._seen(spec, image_id) for spec in self.main]
        ended = all(seen.finished for seen in main)
        return [self._seen(spec, image_id, stopped=ended and is_sidecar(spec)) for spec in self.init], main

    def _seen(self, spec: Obj, image_id: Callable[[str], str], *, stopped: bool = False) -> Seen:
        container = self.containers.get(spec["name"])
        if container is None:
            return Seen(spec, None, lambda age: "", image_id(spec["image"]))

        def stamp(age: float) -> str:
            return container.stamp(age, speed=self.clock.speed)

        moment = self.moment(spec, container)
        return Seen(spec, moment, stamp, image_id(spec["image"]), container.restarts, stopped)


def is_sidecar(spec: Obj) -> bool:
    """An init container that stays."""
    return bool(spec.get("restartPolicy") == "Always")
