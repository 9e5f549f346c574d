"""Numbers that may be missing: no sample at all, or NaN (which is how Prometheus says 0/0)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from meshflow.gates.model import Result, Verdict
from meshflow.mesh.evidence import Sample


def missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def by_label(samples: Iterable[Sample], label: str) -> dict[str, float]:
    """Value by the value of one label. Samples without that label, and values that are no number, are left out."""
    return {
        sample.labels[label]: sample.value
        for sample in samples
        if label in sample.labels and not math.isnan(sample.value)
    }


def total(samples: Iterable[Sample]) -> float | None:
    """The sum of the values that are numbers, None when there is none."""
    values = [sample.value for sample in samples if not math.isnan(sample.value)]
    return sum(values) if values else None


def at_most(gate: str, value: float | None, limit: float, *, what: str, unit: str = "") -> Verdict:
    """Whether a figure stays within its limit; inconclusive when there is no figure."""
    if value is None or missing(value):
        return Verdict(gate, Result.INCONCLUSIVE, f"no data for {what}", {"limit": limit})
    result = Result.PASS if value <= limit else Result.FAIL
    relation = "within" if value <= limit else "above"
    reason = f"{what} is {value:.4g}{unit}, {relation} the limit of {limit:g}{unit}"
    return Verdict(gate, result, reason, {"value": value, "limit": limit})
