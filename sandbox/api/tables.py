"""Tables: what `kubectl get` prints. The server chooses columns and cells; the client only aligns them.

Columns of built-in kinds are in `columns` and `pod_columns`; those of a custom resource are written in its definition
(`additionalPrinterColumns`), as JSON paths. A kind without columns of its own has Name and Created At.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sandbox.api import json_path

Obj = dict[str, Any]
Cell = Callable[[Obj, datetime], Any]

NONE, UNKNOWN = "<none>", "<unknown>"


class Column(NamedTuple):
    """One column; those of priority 1 show with `-o wide`."""

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def to_json(self) -> Obj:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def table(
    objects: Iterable[Obj],
    *,
    columns: Sequence[Column],
    now: datetime,
    include: str = "Metadata",
    metadata: Obj | None = None,
) -> Obj:
    """A meta.k8s.io/v1 Table. `include` is the query's includeObject: Metadata, Object or None."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata or {},
        "columnDefinitions": [column.to_json() for column in columns],
        "rows": [row(obj, columns=columns, now=now, include=include) for obj in objects],
    }


def row(obj: Obj, *, columns: Sequence[Column], now: datetime, include: str = "Metadata") -> Obj:
    """One row, with the object behind it as far as `include` says."""
    cells: Obj = {"cells": [column.cell(obj, now) for column in columns]}
    if include == "Object":
        return {**cells, "object": obj}
    if include == "Metadata":
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
        return {**cells, "object": partial}
    return cells


def name(obj: Obj, now: datetime) -> str:
    return str(obj["metadata"]["name"])


def age(obj: Obj, now: datetime) -> str:
    return ago(obj["metadata"].get("creationTimestamp"), now)


def created_at(obj: Obj, now: datetime) -> str:
    return str(obj["metadata"].get("creationTimestamp", UNKNOWN))


NAME = Column("Name", name, format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", age, description="The time since the object was created.")
DEFAULT = (NAME, Column("Created At", created_at, type="date"))


def custom(columns: Sequence[Obj] | None) -> tuple[Column, ...]:
    """The columns of a custom resource: Name, then those of its definition; Age alone where that has none."""
    if not columns:
        return (NAME, AGE)
    return (NAME, *(_printer(column) for column in columns))


def _printer(column: Obj) -> Column:
    path, kind = json_path.parse(column["jsonPath"]), column.get("type", "string")

    def cell(obj: Obj, now: datetime) -> Any:
        found = json_path.find(obj, path)
        return _shown(found[0], kind, now) if found and found[0] is not None else None

    words = {"format": column.get("format", ""), "description": column.get("description", "")}
    return Column(column["name"], cell, kind, int(column.get("priority", 0)), **words)


def _shown(value: Any, kind: str, now: datetime) -> Any:
    """A value as its column's type wants it; None where it is of another type."""
    if kind == "date":
        return ago(value, now) if isinstance(value, str) else UNKNOWN
    if kind in ("integer", "number"):
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def ago(timestamp: str | None, now: datetime) -> str:
    """The time since a metav1.Time or MicroTime, as kubectl words it."""
    if not timestamp:
        return UNKNOWN
    try:
        then = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    except ValueError:
        return "<invalid>"
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return duration((now - then).total_seconds())


def duration(seconds: float) -> str:
    """Two units at most, and one where the second no longer matters: 5s, 3m20s, 45m, 5h12m, 3d4h, 2y30d."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(0, whole)
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"
