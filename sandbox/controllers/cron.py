"""Cron schedules: five fields, and when they next hold. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS = (range(60), range(24), range(1, 32), range(1, 13), range(7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {**{name: number for number, name in enumerate(MONTHS, 1)}, **{n: i for i, n in enumerate(WEEKDAYS)}}
FAR = timedelta(days=366 * 5)  # a schedule that does not hold within five years never does


class Schedule(NamedTuple):
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool  # one of the two day fields is `*`, so both must hold; otherwise one is enough

    def holds(self, moment: datetime) -> bool:
        """Whether the minute of this moment is one of the schedule."""
        return moment.minute in self.minutes and moment.hour in self.hours and self.on(moment)

    def on(self, moment: datetime) -> bool:
        """Whether the day of this moment is one of the schedule."""
        day, weekday = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return moment.month in self.months and ((day and weekday) if self.any_day else (day or weekday))


def parse(text: str) -> Schedule:
    """Raises ValueError for what is no schedule."""
    fields = MACROS.get(text.strip(), text).split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{text}]")
    minutes, hours, days, months, weekdays = (_field(field, span) for field, span in zip(fields, FIELDS, strict=True))
    any_day = fields[2].startswith("*") or fields[4].startswith("*")
    return Schedule(minutes, hours, days, months, weekdays, any_day)


def following(schedule: Schedule, moment: datetime) -> datetime | None:
    """The first minute of the schedule after the moment; None where there is none for years."""
    candidate = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while candidate - moment < FAR:
        if not schedule.on(candidate):
            candidate = candidate.replace(hour=0, minute=0) + timedelta(days=1)
        elif candidate.hour not in schedule.hours:
            candidate = candidate.replace(minute=0) + timedelta(hours=1)
        elif candidate.minute not in schedule.minutes:
            candidate += timedelta(minutes=1)
        else:
            return candidate
    return None


def _field(text: str, span: range) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        body, _, step = part.partition("/")
        first, last = _bounds(body, span, open_end=bool(step))
        numbers = range(first, last + 1, int(step or 1))
        found |= {number % 7 if span == FIELDS[4] else number for number in numbers}
    if not found or not found <= set(span):
        raise ValueError(f"{text} is not within {span.start} to {span.stop - 1}")
    return frozenset(found)


def _bounds(text: str, span: range, *, open_end: bool) -> tuple[int, int]:
    if text in ("*", "?"):
        return span.start, span.stop - 1
    first, _, last = text.partition("-")
    begin = _number(first)
    return begin, _number(last) if last else (span.stop - 1 if open_end else begin)


def _number(text: str) -> int:
    return NAMES[text.lower()] if text.lower() in NAMES else int(text)
