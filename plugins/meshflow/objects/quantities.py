"""Resource quantities: `1000m` and `1` are the same amount, written twice."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_PATTERN = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<suffix>[KMGTPE]i|[numkMGTPE])?")

_FACTORS: dict[str | None, Decimal] = {
    None: Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


def amount(value: Any) -> Decimal | None:
    """The amount in base units; None for what is no quantity. Numbers are quantities, booleans are not."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = _PATTERN.fullmatch(str(value).strip())
    return Decimal(match["number"]) * _FACTORS[match["suffix"]] if match else None


def same(one: Any, other: Any) -> bool:
    """Whether both are quantities of one amount."""
    first = amount(one)
    return first is not None and first == amount(other)
