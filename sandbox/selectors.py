"""Labels, and the selectors that objects carry. Those in the query of a request are read by `api.selectors`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Obj = dict[str, Any]
Labels = Mapping[str, str]


def labels_of(obj: Obj) -> Labels:
    return obj["metadata"].get("labels") or {}


def includes(labels: Labels, wanted: Labels) -> bool:
    """Every wanted pair is among the labels."""
    return all(labels.get(key) == value for key, value in wanted.items())


def matches(selector: Obj | None, labels: Labels) -> bool:
    """A LabelSelector (`matchLabels` and `matchExpressions`). None selects nothing, an empty one everything."""
    if selector is None:
        return False
    expressions = selector.get("matchExpressions") or ()
    return includes(labels, selector.get("matchLabels") or {}) and all(_holds(e, labels) for e in expressions)


def _holds(expression: Obj, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
