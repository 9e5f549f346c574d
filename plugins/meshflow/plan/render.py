"""A plan for people (a diff) and for programs (bounded JSON).

~ Deployment/weather/frontend configure (include/manifests/services/frontend/deployment.yaml:1)
    spec.template.spec.containers[name="app"].image
      - app:1        kubectl-client-side-apply, 2026-08-01T10:00:00Z
      + app:2
1 to create, 1 to configure, 12 unchanged
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from meshflow.plan.model import Action, Change, Entry, Plan

XCOM_LIMIT = 60_000
"""Bytes that `brief` keeps below; Airflow wants XComs under 100 KB."""

VALUE_LIMIT = 400
"""Characters of one value that are shown; what is cut is counted."""

_SIGNS = {
    Action.CREATE: "+",
    Action.CONFIGURE: "~",
    Action.UNCHANGED: " ",
    Action.PRUNE: "-",
    Action.CONFLICT: "!",
    Action.UNKNOWN: "?",
}
_COLOURS = {"+": "32", "~": "33", "-": "31", "!": "35", "?": "36"}
_COUNTED = {
    Action.CREATE: "to create",
    Action.CONFIGURE: "to configure",
    Action.PRUNE: "to prune",
    Action.CONFLICT: "in conflict",
    Action.UNKNOWN: "unknown",
    Action.UNCHANGED: "unchanged",
}


def text(plan: Plan, *, colour: bool = False, limit: int | None = None) -> str:
    """A diff to read: one block per object that is not unchanged, a note per one with a message, then the counts.

    `limit` bounds the number of lines of the diff; a line says how many are left out. Deterministic.
    """
    lines = [line for entry in plan.entries for line in _block(entry)]
    if limit is not None and len(lines) > limit:
        lines = [*lines[:limit], f"… {len(lines) - limit} more lines"]
    if plan.prune_refusal:
        lines.append(f"! {plan.prune_refusal}")
    lines.append(counts(plan))
    return "\n".join(_coloured(line) if colour else line for line in lines)


def counts(plan: Plan) -> str:
    """`1 to create, 12 unchanged`: the actions that occur, in a fixed order; `nothing declared` for an empty plan."""
    numbers = plan.counts()
    parts = [f"{numbers[action]} {words}" for action, words in _COUNTED.items() if numbers[action]]
    return ", ".join(parts) or "nothing declared"


def brief(plan: Plan, *, limit: int = XCOM_LIMIT) -> dict[str, Any]:
    """The plan as JSON-ready data of at most `limit` bytes: counts always, changed entries as far as they fit.

    `left_out` says how many changed entries did not fit; long values are cut.
    """
    told: dict[str, Any] = {
        "cluster": plan.cluster,
        "set": plan.set_name,
        "digest": plan.digest,
        "counts": plan.counts(),
        "prune_refusal": plan.prune_refusal,
        "entries": [],
        "left_out": 0,
    }
    room = limit - len(json.dumps(told)) - 20
    for entry in plan.changed:
        data = _brief_entry(entry)
        room -= len(json.dumps(data)) + 2
        if room < 0:
            told["left_out"] = len(plan.changed) - len(told["entries"])
            break
        told["entries"].append(data)
    return told


def shown(value: Any) -> str:
    """A value on one line, cut to `VALUE_LIMIT` characters.

    What a terminal would obey, or a browser would turn around, is written as an escape: who changed an object by hand
    does not decide how the rest of the plan looks.
    """
    written = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    told = "".join(map(_visible, written[:VALUE_LIMIT].replace("\n", "⏎")))
    return f"{told}… ({len(written)} characters)" if len(written) > VALUE_LIMIT else told


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _block(entry: Entry) -> Iterator[str]:
    if entry.action is Action.UNCHANGED and not entry.message:
        return
    origin = f" ({entry.origin})" if entry.origin else ""
    message = f": {entry.message}" if entry.message else ""
    yield f"{_SIGNS[entry.action]} {entry}{origin}{message}"
    for change in entry.changes:
        yield f"    {change.path}"
        yield from _sides(change)
    for path in entry.leave:
        yield f"    {path} is left to others"


def _sides(change: Change) -> Iterator[str]:
    writer = ", ".join(part for part in (change.manager, change.time) if part)
    old, new = _lines(change.old), _lines(change.new)
    if max(len(old), len(new)) > 1:
        yield from _hunk(old, new, writer)
        return
    for line in old:
        yield f"      - {line}" + (f"    ({writer})" if writer else "")
    for line in new:
        yield f"      + {line}"


def _hunk(old: list[str], new: list[str], writer: str) -> Iterator[str]:
    """A unified diff of a text of several lines, with little around it."""
    from difflib import unified_diff  # only needed for such texts

    if writer:
        yield f"      (written by {writer})"
    for line in list(unified_diff(old, new, n=1, lineterm=""))[2:]:
        yield f"      {line[:1]} {line[1:]}" if line[:1] in "+-" else f"        {line.strip()}"


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str) and "\n" in value:
        return [shown(line) for line in value.splitlines()]
    return [shown(value)]


def _brief_entry(entry: Entry) -> dict[str, Any]:
    changes = [asdict(change) | {"old": _cut(change.old), "new": _cut(change.new)} for change in entry.changes[:50]]
    data: dict[str, Any] = {"object": str(entry.reference), "action": entry.action.value, "changes": changes}
    if entry.message:
        data["message"] = entry.message
    if len(entry.changes) > len(changes):
        data["changes_left_out"] = len(entry.changes) - len(changes)
    return data


def _cut(value: Any) -> Any:
    short = value is None or isinstance(value, bool | int | float) or len(json.dumps(value)) <= VALUE_LIMIT
    return value if short else shown(value)


def _coloured(line: str) -> str:
    sign = line.lstrip()[:1]
    return f"\x1b[{_COLOURS[sign]}m{line}\x1b[0m" if sign in _COLOURS else line
