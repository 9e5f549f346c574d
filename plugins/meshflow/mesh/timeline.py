"""Flagger's events read back into a timeline with numbers.

All of Flagger's Kubernetes events carry the reason `Synced`, so what happened is only in the message. The traps:

- the same message twice is one Event whose `count` grows;
- from the tenth different message in ten minutes on the client folds new ones of that type into one Event, whose
  message starts with `(combined from similar events): ` and is overwritten each time: one snapshot then shows the last
  step only, so whoever follows a rollout must `merge` what it sees over time;
- after 25 events of a type about one Canary all but one in five minutes are lost (see `witness`);
- an Event goes on counting from one release to the next, and expires after an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from meshflow.objects.reference import Obj


class StepKind(StrEnum):
    """What a line of the timeline is about; one sentence each in `SENTENCES`."""

    DETECTED = "detected"
    STARTED = "started"
    WEIGHT = "weight"
    ITERATION = "iteration"
    FAILED_CHECK = "failed_check"
    NOT_READY = "not_ready"
    WAITING = "waiting"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    ROLLBACK = "rollback"
    FAILED = "failed"
    NOTE = "note"


SENTENCES: Mapping[StepKind, str] = {
    StepKind.DETECTED: "Flagger saw the new revision.",
    StepKind.STARTED: "The analysis began.",
    StepKind.WEIGHT: "Traffic moved; the value is the percentage on the canary.",
    StepKind.ITERATION: "A round of a blue/green or A/B analysis passed; the threshold is the number of rounds.",
    StepKind.FAILED_CHECK: "A check did not pass.",
    StepKind.NOT_READY: "Pods were not ready.",
    StepKind.WAITING: "A person is asked.",
    StepKind.PROMOTING: "The primary gets the new revision.",
    StepKind.PROMOTED: "The new revision is the primary.",
    StepKind.ROLLBACK: "Traffic goes back to the primary.",
    StepKind.FAILED: "The release failed.",
    StepKind.NOTE: "Anything else that was said.",
}

COMBINED = "(combined from similar events): "

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf|NaN)"
_DURATION = r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+"

PATTERNS: tuple[tuple[StepKind, str | None, re.Pattern[str]], ...] = tuple(
    (kind, check, re.compile(pattern, re.IGNORECASE))
    for kind, check, pattern in (
        (StepKind.DETECTED, None, r"^New revision detected!"),
        (StepKind.STARTED, None, r"^Starting canary analysis"),
        (StepKind.WEIGHT, None, rf"^Advance \S+ canary weight (?P<value>{_NUMBER})$"),
        (StepKind.WEIGHT, None, rf"^Advance \S+ primary weight (?P<rest>{_NUMBER})$"),
        (StepKind.WEIGHT, None, r"^Routing all traffic to (?P<all>primary|canary)"),
        (StepKind.ITERATION, None, rf"^Advance \S+ canary iteration (?P<value>{_NUMBER})/(?P<threshold>{_NUMBER})$"),
        (StepKind.WAITING, None, r"^Halt \S+ advancement waiting for "),
        (
            StepKind.FAILED_CHECK,
            "request-success-rate",
            rf"^Halt \S+ advancement success rate (?P<value>{_NUMBER})(?P<percent>%) [<>] (?P<threshold>{_NUMBER})%$",
        ),
        (
            StepKind.FAILED_CHECK,
            "request-duration",
            rf"^Halt \S+ advancement request duration (?P<duration>{_DURATION}) [<>] (?P<limit>{_DURATION})$",
        ),
        (StepKind.FAILED_CHECK, None, r"^Halt \S+ advancement (?:external|pre-rollout) check (?P<check>\S+) failed"),
        (
            StepKind.FAILED_CHECK,
            None,
            r"^Halt advancement no values found for (?:custom metric:|metric:|\S+ metric) (?P<check>[^\s:]+)",
        ),
        (
            StepKind.FAILED_CHECK,
            None,
            rf"^Halt \S+ advancement (?P<check>.+) (?P<value>{_NUMBER}) [<>] (?P<threshold>{_NUMBER})$",
        ),
        (StepKind.FAILED_CHECK, None, r"^(?:Prometheus|Metric) query failed(?: for (?P<check>[^:]+))?:"),
        (StepKind.PROMOTING, None, r"^Copying \S+ template spec to "),
        (StepKind.PROMOTED, None, r"^Promotion completed!|^Initialization done!"),
        (StepKind.ROLLBACK, None, r"^Rolling back \S+ "),
        (StepKind.FAILED, None, r"^Canary failed!|^Promotion of \S+ failed"),
        (StepKind.NOT_READY, None, r"not ready: |exceeded its progress deadline"),
    )
)
"""First match wins: kind, name of the check when the message does not hold it, and where the numbers stand."""

_BACK = re.compile(r"^(?:Advance \S+ primary weight|Routing all traffic to primary)")
_REACHED = re.compile(r"failed checks threshold reached (?P<number>\d+)$")
_UNITS_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


@dataclass(frozen=True)
class Step:
    """One thing that happened. `value` and `threshold` are in `unit` ("%", "ms", "" when it has none).

    A failed check without `value` had no data or no numbers; `message` says which.
    """

    time: datetime
    kind: StepKind
    message: str
    check: str | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    count: int = 1

    @property
    def key(self) -> str:
        """The same for the same step seen twice: log a step whose key was not seen before."""
        return f"{self.time.isoformat()} {self.message} {self.count}"

    def __str__(self) -> str:
        again = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.time:%H:%M:%S} {self.message}{again}"

    def figures(self) -> str:
        """`69.17% against 99%` for a failed check; empty when it had no numbers."""
        if self.value is None or self.threshold is None:
            return ""
        return f"{self.value:g}{self.unit} against {self.threshold:g}{self.unit}"

    def to_json(self) -> dict[str, Any]:
        fields = {name: value for name, value in asdict(self).items() if value is not None and value != ""}
        return {**fields, "time": self.time.isoformat(), "kind": self.kind.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        return cls(**{**data, "time": datetime.fromisoformat(data["time"]), "kind": StepKind(data["kind"])})


def steps(events: Iterable[Obj], *, since: datetime | None = None) -> tuple[Step, ...]:
    """The events in order of time. `since` leaves out older ones (whole seconds: events have no finer clock).

    How often something was said before `since` does not count: an Event that began earlier counts as one.
    """
    if since is None:
        return merge((), map(read, events))
    floor = since.replace(microsecond=0)
    found = ((event, read(event)) for event in events)
    return merge(
        (),
        (
            replace(step, count=1) if (moment(event.get("firstTimestamp")) or floor) < floor else step
            for event, step in found
            if step.time >= floor
        ),
    )


def merge(known: Iterable[Step], found: Iterable[Step]) -> tuple[Step, ...]:
    """Both together in order of time, each step once.

    Events have a clock of whole seconds; steps within one are in the order in which Flagger takes them.
    """
    unique = {step.key: step for step in [*known, *found]}
    return tuple(sorted(unique.values(), key=_place))


def read(event: Obj) -> Step:
    """One Event as a step; a message that no pattern knows is a NOTE."""
    said = str(event.get("message") or "").strip()
    message = said.removeprefix(COMBINED)
    time, count = _time(event), 1 if message != said else _count(event)  # a folded Event counts all of its kind
    for kind, check, pattern in PATTERNS:
        found = pattern.search(message)
        if found:
            value, threshold, unit = _numbers(found.groupdict())
            name = found.groupdict().get("check") or check
            return Step(time, kind, message, name, value, threshold, unit, count)
    return Step(time, StepKind.NOTE, message, count=count)


def failed_checks(timeline: Iterable[Step]) -> tuple[Step, ...]:
    """The last failure of each check, in the order in which they last failed."""
    last: dict[str, Step] = {}
    for step in timeline:
        if step.kind is StepKind.FAILED_CHECK:
            name = step.check or step.message
            last.pop(name, None)
            last[name] = step
    return tuple(last.values())


def last_words(timeline: Iterable[Step]) -> str:
    """What Flagger last said about why it gave up, empty when it said nothing but that it did."""
    telling = (StepKind.NOT_READY, StepKind.ROLLBACK, StepKind.FAILED)
    words = [
        step.message for step in timeline if step.kind in telling and not step.message.startswith("Canary failed!")
    ]
    return words[-1] if words else ""


def failures(timeline: Iterable[Step]) -> int:
    """How many checks failed: as Flagger says where it gives up, else as its events count.

    A repeated message is one Event that grows, so of each the highest count or the number of steps counts.
    """
    counts: dict[str, list[int]] = {}
    said = None
    for step in timeline:
        if step.kind is StepKind.FAILED_CHECK:
            counts.setdefault(step.message, []).append(step.count)
        elif step.kind is StepKind.ROLLBACK:
            said = _REACHED.search(step.message) or said
    return int(said["number"]) if said else sum(max(len(each), *each) for each in counts.values())


def milliseconds(duration: str) -> float:
    """A Go duration such as `1m2.5s` or `512.3ms` in milliseconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", duration)
    return round(sum(float(number) * _UNITS_MS[unit] for number, unit in parts), 6)


def moment(text: str | None) -> datetime | None:
    """A Kubernetes timestamp as an aware datetime, None for none."""
    if not text:
        return None
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


_ORDER = {kind: place for place, kind in enumerate(StepKind)}


def _place(step: Step) -> tuple[datetime, int, float, int, str]:
    """Where a step belongs. Of one second's weights those that rise come first: back to the primary is the end."""
    weight = step.value if step.kind is StepKind.WEIGHT and step.value is not None else 0.0
    if _BACK.search(step.message):
        weight = 200 - weight  # after every weight that rises, and the lower the later
    return (step.time.replace(microsecond=0), _ORDER[step.kind], weight, step.count, step.message)


def _numbers(found: Mapping[str, str | None]) -> tuple[float | None, float | None, str]:
    if found.get("duration"):
        return milliseconds(str(found["duration"])), milliseconds(str(found["limit"])), "ms"
    if found.get("rest"):
        return 100 - float(str(found["rest"])), None, "%"
    if found.get("all"):
        return (100.0 if found["all"] == "canary" else 0.0), None, "%"
    value, threshold = found.get("value"), found.get("threshold")
    unit = "%" if found.get("percent") or (value and not threshold) else ""
    return (float(value) if value else None), (float(threshold) if threshold else None), unit


def _time(event: Obj) -> datetime:
    series = event.get("series") or {}
    texts = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    created = event.get("metadata", {}).get("creationTimestamp")
    return next((found for found in map(moment, (*texts, created)) if found), datetime.fromtimestamp(0, UTC))


def _count(event: Obj) -> int:
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)
