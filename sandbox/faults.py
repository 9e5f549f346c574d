"""Faults on request: what goes wrong in the cluster while it runs, and for how long.

    error     requests are answered with an error (429 with Retry-After, 500, 503, …)
    delay     requests take longer
    hang      requests are never answered: the client's own timeout must end them
    reset     the connection is dropped without an answer
    watches   open watches end (or expire with 410) at once; new ones are not touched
    pods      containers crash, start slowly, never become ready, or have no image
    webhooks  nobody answers admission webhooks
    clock     the cluster's clock jumps

The first four meet the requests that match (patterns as in a shell), all of them or a share (`rate`). Each fault ends
after `count` hits or `seconds` of the sandbox, whichever comes first, or when it is cleared; then everything is as
before. Shares are drawn from a fixed seed, so that a test meets the same requests each time. In-process controllers
and stand-ins are spared.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox import faults_cli
from sandbox.api import errors
from sandbox.api.http import Reset
from sandbox.control import Refused, Route, body_of
from sandbox.controllers.behaviour import Behaviour, Rule

if TYPE_CHECKING:
    from sandbox.api.replies import Request
    from sandbox.api.routes import RequestInfo
    from sandbox.cluster import Cluster

Obj = dict[str, Any]
VERBS = faults_cli.VERBS
REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout", 403: "Forbidden"}
PATTERNS = ("verb", "resource", "namespace", "name", "user")
POD_PATTERNS = ("namespace", "pod", "image", "container")
LONGEST_HANG = 300.0  # real seconds
CHANGES = {each.name for each in dataclasses.fields(Behaviour)}


class Kind(StrEnum):
    """What goes wrong."""

    ERROR = "error"
    DELAY = "delay"
    HANG = "hang"
    RESET = "reset"
    WATCHES = "watches"
    PODS = "pods"
    WEBHOOKS = "webhooks"
    CLOCK = "clock"


ON_REQUESTS = (Kind.ERROR, Kind.DELAY, Kind.HANG, Kind.RESET)
SETTINGS: Mapping[Kind, tuple[str, ...]] = {
    Kind.ERROR: (*PATTERNS, "rate", "code", "retry_after", "message"),
    Kind.DELAY: (*PATTERNS, "rate", "by"),
    Kind.HANG: (*PATTERNS, "rate"),
    Kind.RESET: (*PATTERNS, "rate"),
    Kind.WATCHES: ("resource", "namespace", "expire"),
    Kind.PODS: (*POD_PATTERNS, "changes"),
    Kind.WEBHOOKS: (),
    Kind.CLOCK: ("by",),
}


@dataclass
class Fault:
    """One fault in force. `settings` are as they were given; `left` counts the hits to come, None is no bound."""

    id: int
    kind: Kind
    settings: Obj
    left: int | None = None
    seconds: float | None = None
    hits: int = 0
    undo: Callable[[], None] = field(default=lambda: None, repr=False)

    def matches(self, request: RequestInfo) -> bool:
        """Whether a request is one that this fault is about, whatever its share."""
        whole = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
        values = {
            "verb": request.verb,
            "resource": whole,
            "namespace": request.namespace,
            "name": request.name,
            "user": request.user,
        }
        return all(fnmatch.fnmatchcase(value, str(self.settings.get(key, "*"))) for key, value in values.items())

    def to_json(self) -> Obj:
        shown = {"id": self.id, "kind": str(self.kind), **self.settings, "hits": self.hits}
        bounds = {"count": self.left, "seconds": self.seconds}
        return shown | {key: value for key, value in bounds.items() if value is not None}


class Faults:
    """The faults in force; `before` stands in front of every request over HTTP."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.active: dict[int, Fault] = {}
        self._made = 0
        self._random = random.Random(0)
        self._ends: dict[int, asyncio.Task[None]] = {}
        self._release = asyncio.Event()

    def add(self, kind: str, *, count: int | None = None, seconds: float | None = None, **settings: Any) -> Fault:
        """Put a fault in force. Raises Refused for a kind or setting that is not there."""
        fault = Fault(self._made + 1, _kind(kind), settings, left=count, seconds=seconds)
        _check(fault)
        self._made += 1
        self._begin(fault)
        if fault.kind is not Kind.WATCHES:
            self.active[fault.id] = fault
            if seconds is not None:
                self._ends[fault.id] = asyncio.create_task(self._end_after(fault.id, seconds))
        return fault

    def clear(self, number: int | None = None) -> list[Fault]:
        """End one fault, or all; returns those that were in force."""
        gone = [fault for fault in self.active.values() if number in (None, fault.id)]
        for fault in gone:
            self._remove(fault)
        self._release.set()  # requests that hang are dropped; those of other faults meet them again
        self._release = asyncio.Event()
        return gone

    def _remove(self, fault: Fault) -> None:
        del self.active[fault.id]
        fault.undo()
        if (end := self._ends.pop(fault.id, None)) and end is not asyncio.current_task():
            end.cancel()

    async def before(self, request: RequestInfo) -> None:
        """Delay, refuse (ApiError) or drop (Reset) a request as the faults in force want it."""
        for fault in list(self.active.values()):
            if fault.kind in ON_REQUESTS and fault.matches(request) and self._drawn(fault):
                self._hit(fault)
                await self._strike(fault)

    def _drawn(self, fault: Fault) -> bool:
        rate = float(fault.settings.get("rate", 1.0))
        return rate >= 1.0 or self._random.random() < rate

    def _hit(self, fault: Fault) -> None:
        fault.hits += 1
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self._remove(fault)

    async def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.ERROR:
                raise _error(fault.settings)
            case Kind.DELAY:
                await self.cluster.clock.sleep(float(fault.settings["by"]))
            case Kind.HANG:
                await _wait(self._release)
                raise Reset
            case Kind.RESET:
                raise Reset

    def _begin(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.WATCHES:
                fault.hits = self._cut(fault.settings)
            case Kind.PODS:
                behaviours = self.cluster.controllers.kubelet.behaviours
                patterns = {key: value for key, value in fault.settings.items() if key in POD_PATTERNS}
                rule = behaviours.add(Rule(changes=fault.settings["changes"], **patterns))
                fault.undo = lambda: behaviours.remove(rule)
            case Kind.WEBHOOKS:
                self.cluster.server.admission.outage = True
                fault.undo = self._webhooks_answer
            case Kind.CLOCK:
                jump = timedelta(seconds=float(fault.settings["by"]))
                self._shift(jump)
                fault.undo = lambda: self._shift(-jump)

    def _cut(self, settings: Obj) -> int:
        """End the open watches that match, and say how many they were."""
        found = 0
        error = (
            errors.expired("The resourceVersion for the provided watch is too old.") if settings.get("expire") else None
        )
        for watch, (resource, namespace) in list(self.cluster.server.watches.items()):
            wanted = {resource.plural: settings.get("resource", "*"), namespace or "": settings.get("namespace", "*")}
            if all(fnmatch.fnmatchcase(value, pattern) for value, pattern in wanted.items()):
                watch.end(error)
                found += 1
        return found

    def _webhooks_answer(self) -> None:
        others = any(fault.kind is Kind.WEBHOOKS for fault in self.active.values())
        self.cluster.server.admission.outage = others

    def _shift(self, jump: timedelta) -> None:
        self.cluster.clock.offset += jump

    async def _end_after(self, number: int, seconds: float) -> None:
        await self.cluster.clock.sleep(seconds)
        self.clear(number)


async def _wait(release: asyncio.Event) -> None:
    """Hold a request until faults are cleared, or nobody can be waiting for the answer any more."""
    try:
        await asyncio.wait_for(release.wait(), LONGEST_HANG)
    except TimeoutError:
        pass  # as good as released


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError as error:
        raise Refused(f"no fault is called {text!r}; there are: {', '.join(Kind)}") from error


def _check(fault: Fault) -> None:
    unknown = sorted(set(fault.settings) - set(SETTINGS[fault.kind]))
    if unknown:
        known = ", ".join(SETTINGS[fault.kind]) or "none"
        raise Refused(f"the fault {fault.kind} has no setting {unknown[0]!r}; it has: {known}")
    settings = fault.settings
    if not 0 <= float(settings.get("rate", 1)) <= 1:
        raise Refused("'rate' must be a number from 0 to 1")
    if not 400 <= int(settings.get("code", 503)) <= 599:
        raise Refused("'code' must be the status of an error, 400 to 599")
    if "by" in SETTINGS[fault.kind] and not isinstance(settings.get("by"), int | float):
        raise Refused(f"the fault {fault.kind} needs 'by', a number of seconds")
    if fault.kind is Kind.PODS and (not settings.get("changes") or set(settings["changes"]) - CHANGES):
        raise Refused(f"the fault pods needs 'changes', an object with some of: {', '.join(sorted(CHANGES))}")


def _error(settings: Obj) -> errors.ApiError:
    code = int(settings.get("code", 503))
    message = str(settings.get("message") or f"a fault on request: {REASONS.get(code, code)}")
    if code == 429:
        return errors.too_many_requests(message, int(settings.get("retry_after", 1)))
    retry = settings.get("retry_after")
    headers = {"Retry-After": str(retry)} if retry is not None else {}
    return errors.ApiError(code, REASONS.get(code, "InternalError"), message, headers=headers)


def control_routes(cluster: Cluster) -> list[Route]:
    """List, add and clear."""
    faults = cluster.faults

    async def listed(_: Request) -> Obj:
        return {"faults": [fault.to_json() for fault in faults.active.values()]}

    async def add(request: Request) -> Obj:
        body = body_of(request)
        kind = body.pop("kind", "")
        try:
            return faults.add(str(kind), **body).to_json()
        except (TypeError, ValueError) as error:
            raise Refused(f"a setting of the fault {kind} is wrong: {error}") from error

    async def clear(request: Request) -> Obj:
        number: int | None = body_of(request).get("id")
        return {"cleared": [fault.to_json() for fault in faults.clear(number)]}

    kinds = ", ".join(Kind)
    return [
        Route("GET", "faults", listed, "the faults in force"),
        Route("POST", "faults", add, f"put one in force: {{kind, count, seconds, …}}; kinds: {kinds}"),
        Route("DELETE", "faults", clear, "end one ({id}) or all"),
    ]
