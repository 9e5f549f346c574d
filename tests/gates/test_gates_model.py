"""Verdicts: four answers, and only one of them lets a stage go on."""

from __future__ import annotations

import json
import math

import pytest

from meshflow import errors
from meshflow.gates import model
from meshflow.gates.model import Result, Verdict, Verdicts

GOOD = Verdict("a", Result.PASS, "all is well", {"targets": 3})
BAD = Verdict("b", Result.FAIL, "it is not", {"rate": 69.17, "limit": 99})
NO_DATA = Verdict("c", Result.INCONCLUSIVE, "no data")


def test_only_passes_let_a_stage_go_on():
    Verdicts.of(GOOD).raise_unless_passed()
    for other in (BAD, NO_DATA, model.error("d", "refused")):
        with pytest.raises(errors.GateFailed):
            Verdicts.of(GOOD, other).raise_unless_passed()


def test_no_answer_at_all_is_not_a_pass():
    assert not Verdicts().passed
    with pytest.raises(errors.GateFailed, match="No gate of mtls gave an answer"):
        Verdicts().raise_unless_passed("mtls")


def test_a_failure_carries_all_verdicts_the_worst_first():
    with pytest.raises(errors.GateFailed, match="2 of 3 gates of istio did not pass: b is fail: it is not") as found:
        Verdicts.of(GOOD, [NO_DATA, BAD]).raise_unless_passed("istio")
    assert [line.split()[0] for line in found.value.verdicts] == ["fail", "inconclusive", "pass"]
    assert "rate=69.17, limit=99" in found.value.verdicts[0]


def test_verdicts_survive_json_and_nan_does_not_break_it():
    verdicts = Verdicts.of(GOOD, Verdict("n", Result.INCONCLUSIVE, "NaN", {"rate": math.nan, "top": math.inf}))
    data = json.loads(json.dumps(verdicts.to_json(), allow_nan=False))
    again = Verdicts.from_json(data)
    assert again.items[0] == GOOD
    assert again.items[1].numbers == {"rate": "nan", "top": "inf"}


def test_an_error_is_one_line_and_not_too_long():
    verdict = model.error("g", errors.Unreachable("no\nanswer " + "x" * 2000, target="t"))
    assert verdict.result is Result.ERROR
    assert "\n" not in verdict.reason
    assert len(verdict.reason) < errors.BODY_LIMIT + 30


def test_every_result_has_its_sentence_and_its_place():
    assert set(model.SENTENCES) == set(Result) == set(model.WORST_FIRST)


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (69.17, "69.17"), (123456.5, "123456.5"), ("v1", "v1"), (3, "3")]
)
def test_figures_are_printed_short(value, text):
    assert model.printed(value) == text
