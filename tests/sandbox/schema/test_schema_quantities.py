"""Quantities in their normal form."""

import pytest

from sandbox.schema import quantity


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1", "1"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("0.1", "100m"),
        ("2000M", "2G"),
        ("1024Mi", "1Gi"),
        ("0.5Gi", "512Mi"),
        ("0.5Ki", "512"),
        ("1.5Gi", "1536Mi"),
        ("1073741824", "1073741824"),
        ("1e3", "1e3"),
        ("12E2", "1200"),
        ("0", "0"),
        ("0Gi", "0"),
        ("-1500m", "-1500m"),
        ("+1", "1"),
        ("100n", "100n"),
        ("0.1n", "1n"),
    ],
)
def test_a_quantity_is_stored_in_one_form(written, stored):
    assert quantity.normal(written) == stored
    assert quantity.normal(stored) == stored
    assert quantity.value(written) == quantity.value(stored)


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1gi", "1.2.3", "--1", "1KI"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.normal(text)
