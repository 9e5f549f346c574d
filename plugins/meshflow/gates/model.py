"""What a gate answers.

A gate has four answers, because two are not enough: a metric without data is neither good nor bad, and a question that
could not be asked says nothing about the mesh. Only `pass` lets a stage go on; the other three stop it, each with its
own next step for a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from meshflow import errors

Number = float | int | str
"""A figure of evidence. A string holds what is not a number (a version, a policy's name) and figures such as NaN."""


class Result(StrEnum):
    """The four answers of a gate; `SENTENCES` has one sentence for each."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


SENTENCES: Mapping[Result, str] = {
    Result.PASS: "What was asked for was observed.",
    Result.FAIL: "What was observed contradicts what was asked for.",
    Result.INCONCLUSIVE: "There was no data to judge by.",
    Result.ERROR: "The question could not be asked.",
}

WORST_FIRST = (Result.FAIL, Result.ERROR, Result.INCONCLUSIVE, Result.PASS)


@dataclass(frozen=True)
class Verdict:
    """One gate's answer. `reason` is one sentence for a person; `numbers` is the evidence behind it."""

    gate: str
    result: Result
    reason: str
    numbers: Mapping[str, Number] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.result is Result.PASS

    def __str__(self) -> str:
        figures = ", ".join(f"{name}={printed(value)}" for name, value in self.numbers.items())
        return f"{self.result.value:<12} {self.gate}: {self.reason}" + (f" [{figures}]" if figures else "")

    def to_json(self) -> dict[str, Any]:
        numbers = {name: finite(value) for name, value in self.numbers.items()}
        return {"gate": self.gate, "result": self.result.value, "reason": self.reason, "numbers": numbers}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        return cls(data["gate"], Result(data["result"]), data["reason"], dict(data.get("numbers", {})))


@dataclass(frozen=True)
class Verdicts:
    """The answers of one stage's gates, in the order in which they were asked."""

    items: tuple[Verdict, ...] = ()

    @classmethod
    def of(cls, *parts: Verdict | Iterable[Verdict]) -> Verdicts:
        """Verdicts and groups of verdicts, flattened."""
        flat: list[Verdict] = []
        for part in parts:
            flat.extend([part] if isinstance(part, Verdict) else part)
        return cls(tuple(flat))

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def passed(self) -> bool:
        """Whether at least one gate answered and all of them passed: nothing asked is nothing observed."""
        return bool(self.items) and all(verdict.passed for verdict in self.items)

    def worst_first(self) -> tuple[Verdict, ...]:
        return tuple(sorted(self.items, key=lambda verdict: WORST_FIRST.index(verdict.result)))

    def raise_unless_passed(self, stage: str = "the stage") -> None:
        """GateFailed with every verdict as a line, the failed ones first; nothing when all passed."""
        if self.passed:
            return
        lines = [str(verdict) for verdict in self.worst_first()]
        if not lines:
            raise errors.GateFailed(f"No gate of {stage} gave an answer, so nothing says that it is done")
        stopped = [verdict for verdict in self.items if not verdict.passed]
        first = self.worst_first()[0]
        raise errors.GateFailed(
            f"{len(stopped)} of {len(self.items)} gates of {stage} did not pass: {first.gate} is {first.result.value}: "
            f"{first.reason}",
            verdicts=lines,
        )

    def to_json(self) -> list[dict[str, Any]]:
        return [verdict.to_json() for verdict in self.items]

    @classmethod
    def from_json(cls, data: Iterable[Mapping[str, Any]]) -> Verdicts:
        return cls(tuple(Verdict.from_json(item) for item in data))


def error(gate: str, problem: BaseException | str) -> Verdict:
    """The verdict of a gate whose question could not be asked."""
    return Verdict(gate, Result.ERROR, f"could not ask: {errors.shorten(str(problem))}")


def finite(value: Number) -> Number:
    """The figure as JSON can hold it: NaN and the infinities become their names."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def printed(value: Number) -> str:
    """The figure for a log line: at most four significant digits after the point, no trailing zeros."""
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 10_000 else str(value)
