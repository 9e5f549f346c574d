"""The selectors that objects carry."""

from sandbox import selectors

LABELS = {"app": "web", "tier": "front"}


def test_a_selector_object_without_anything_selects_everything_and_none_nothing() -> None:
    assert selectors.matches({}, LABELS)
    assert not selectors.matches(None, LABELS)
    rule = {"matchExpressions": [{"key": "app", "operator": "Exists"}, {"key": "old", "operator": "DoesNotExist"}]}
    assert selectors.matches(rule, LABELS)
