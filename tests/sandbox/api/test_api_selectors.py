"""Selectors as the API server reads them."""

import pytest

from sandbox.api import selectors
from sandbox.api.errors import ApiError

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web,tier!=back", True),
        ("app in (web, api)", True),
        ("app notin (web,api)", False),
        ("absent notin (x)", True),
        ("absent!=x", True),
        ("!absent", True),
        ("!app", False),
        ("app in (web),tier in (back)", False),
        ("example.test/key=x", False),
    ],
)
def test_label_selectors_match(text: str, matches: bool) -> None:
    assert selectors.labels(text)(LABELS) is matches


@pytest.mark.parametrize("text", ["=x", "a b", "a=b=c", "a in x", "a=-"])
def test_malformed_label_selectors_are_bad_requests(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        selectors.labels(text)
    assert caught.value.code == 400


def test_fields_that_a_kind_does_not_offer_are_refused() -> None:
    pod = {"metadata": {"name": "a"}, "status": {"phase": "Running"}}
    assert selectors.fields("status.phase!=Pending,metadata.name=a", ["status.phase"])(pod)
    with pytest.raises(ApiError, match="field label not supported"):
        selectors.fields("spec.nope=1", ["status.phase"])
