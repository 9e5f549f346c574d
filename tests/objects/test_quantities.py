"""Quantities are compared by amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow.objects import quantities


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1000m", "1"),
        ("1", 1),
        ("1Gi", "1073741824"),
        ("0.5", "500m"),
        ("1e3", "1k"),
        (".5", "500m"),
        ("128Mi", "0.125Gi"),
    ],
)
def test_amounts_written_in_two_ways_are_the_same(one: object, other: object) -> None:
    assert quantities.same(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("1G", "1Gi"), ("1", "1m"), (True, 1), ("ten", "ten"), (None, None), ("", "")]
)
def test_other_amounts_and_what_is_no_amount_are_not_the_same(one: object, other: object) -> None:
    assert not quantities.same(one, other)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_thousand_times_the_number_in_thousandths_is_the_number(number: int) -> None:
    assert quantities.same(f"{number * 1000}m", str(number))
