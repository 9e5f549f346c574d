"""Quantities (`500m`, `1Gi`) in the one form in which the API server stores them."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache

FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?")
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIX = {power: suffix for suffix, power in DECIMAL.items()}
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
EXACT = Context(prec=60)
NANO = Decimal("1e-9")
BAD = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@lru_cache(maxsize=4096)
def normal(text: str) -> str:
    """The normal form: the largest suffix that leaves a whole number, in the family that was written.

    Raises ValueError, with the API server's words, for what is no quantity.
    """
    value, suffix = _parse(text)
    if suffix in BINARY[1:] and abs(value) >= 1024 and value == value.to_integral_value():
        return _binary(int(value))
    return _decimal(value, exponent=suffix[:1] in ("e", "E") and len(suffix) > 1)


@lru_cache(maxsize=4096)
def value(text: str) -> Decimal:
    """The number that a quantity stands for. ValueError for what is no quantity."""
    return _parse(text)[0]


def _parse(text: str) -> tuple[Decimal, str]:
    match = FORM.fullmatch(text)
    if match is None:
        raise ValueError(BAD)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in BINARY:
        factor = Decimal(1024) ** BINARY.index(suffix)
    elif suffix in DECIMAL:
        factor = Decimal(10) ** DECIMAL[suffix]
    else:
        factor = Decimal(10) ** int(suffix[1:])
    scaled = EXACT.multiply(number, factor)
    return scaled.quantize(NANO, rounding=ROUND_CEILING, context=EXACT), suffix


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < len(BINARY) - 1:
        number //= 1024
        power += 1
    return f"{number}{BINARY[power]}"


def _decimal(value: Decimal, *, exponent: bool) -> str:
    if not value:
        return "0"
    number, power = int(EXACT.scaleb(value, 9)), -9
    while number % 1000 == 0 and power < 18:
        number //= 1000
        power += 3
    if exponent:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{SUFFIX[power]}"
