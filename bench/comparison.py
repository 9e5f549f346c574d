"""One row of the table: the same work, done by Meshflow and by another tool."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Measured:
    """What one side took. `megabytes` is what the process grew by; None where that was not measured."""

    seconds: float
    requests: int
    megabytes: float | None = None

    def __str__(self) -> str:
        memory = "" if self.megabytes is None else f", {self.megabytes:.0f} MB"
        return f"{self.seconds:.2f} s, {self.requests} requests{memory}"


@dataclass(frozen=True)
class Comparison:
    """`tool` None: the other side could not be measured, `why` says the reason."""

    work: str
    tool: str
    meshflow: Measured
    other: Measured | None
    why: str = ""

    @property
    def ratio(self) -> str:
        """How many times as much the other side took: time, then requests, then memory."""
        if self.other is None:
            return "–"
        parts = [_times(self.other.seconds, self.meshflow.seconds), _times(self.other.requests, self.meshflow.requests)]
        if self.other.megabytes is not None and self.meshflow.megabytes is not None:
            parts.append(_times(self.other.megabytes, self.meshflow.megabytes))
        return " / ".join(parts)


def table(comparisons: list[Comparison]) -> Table:
    """All rows, for the terminal."""
    made = Table(
        caption="ratio: what the other took, in times of Meshflow: time / requests / memory. Meshflow works in "
        "a Python process that runs already, as in Airflow; kubectl is started for each. The server is the sandbox."
    )
    for name in ("work", "Meshflow", "the other", "ratio"):
        made.add_column(name, overflow="fold")
    for row in comparisons:
        made.add_row(row.work, str(row.meshflow), f"{row.tool}: {row.other or row.why}", row.ratio)
    return made


def _times(other: float, own: float) -> str:
    return f"{other / own:.1f}×" if own else "–"
