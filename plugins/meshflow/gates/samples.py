"""Numbers that may be missing: no sample at all, or NaN (which is how Prometheus says 0/0)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from meshflow.mesh.evidence import Sample


def by_label(samples: Iterable[Sample], label: str) -> dict[str, float]:
    """Value by the value of one label. Samples without that label, and values that are no number, are left out."""
    return {
        sample.labels[label]: sample.value
        for sample in samples
        if label in sample.labels and not math.isnan(sample.value)
    }
