"""PromQL's binary operators: numbers with vectors, and vectors with each other by their labels."""

from __future__ import annotations

from typing import Any

import promql_parser as promql

from sandbox.standins.prometheus import functions
from sandbox.standins.prometheus.functions import Element
from sandbox.standins.prometheus.storage import NAME

Vector = list[Element]
Value = float | str | Vector
Card = promql.VectorMatchCardinality
Node = Any  # the parser's classes carry no types


class BadQuery(Exception):
    """The text is not PromQL; the message is the parser's."""


class Unsupported(BadQuery):
    """PromQL that this evaluator does not know; the message names the construct."""


def as_vector(value: float | Vector) -> Vector:
    if not isinstance(value, list):
        raise BadQuery("set operators take vectors")
    return value


def with_number(kind: str, left: float | Vector, right: float | Vector, *, as_bool: bool) -> Value:
    if not isinstance(left, list) and not isinstance(right, list):
        if kind in functions.COMPARISON:
            return float(functions.COMPARISON[kind](left, right))
        return functions.ARITHMETIC[kind](left, right)
    elements = left if isinstance(left, list) else right
    assert isinstance(elements, list)
    result = []
    for element in elements:
        a = element.value if isinstance(left, list) else left
        b = element.value if isinstance(right, list) else right
        assert not isinstance(a, list)
        assert not isinstance(b, list)
        found = _combined(kind, element, a, b, as_bool=as_bool)
        result += [found] if found else []
    return result


def _combined(kind: str, element: Element, a: float, b: float, *, as_bool: bool) -> Element | None:
    """What one pair gives; None when a comparison filters it out."""
    if kind in functions.ARITHMETIC:
        return Element(nameless(element.labels), functions.ARITHMETIC[kind](a, b))
    if kind not in functions.COMPARISON:
        raise Unsupported(f"the sandbox's evaluator does not know the operator {kind}")
    true = functions.COMPARISON[kind](a, b)
    if as_bool:
        return Element(nameless(element.labels), float(true))
    return element if true else None


def vectors(kind: str, left: Vector, right: Vector, modifier: Node) -> Vector:
    card = modifier.card if modifier else Card.OneToOne
    many, one = (right, left) if card == Card.OneToMany else (left, right)
    known: dict[tuple[tuple[str, str], ...], Element] = {}
    for element in one:
        if known.setdefault(_signature(element.labels, modifier), element) is not element:
            raise BadQuery("found duplicate series for the match group on one side of the operation")
    result, used = [], set()
    for element in many:
        signature = _signature(element.labels, modifier)
        partner = known.get(signature)
        if partner is None:
            continue
        if card == Card.OneToOne and signature in used:
            raise BadQuery("multiple matches for labels: many-to-one matching must be explicit")
        used.add(signature)
        a, b = (partner.value, element.value) if card == Card.OneToMany else (element.value, partner.value)
        found = _combined(kind, element, a, b, as_bool=bool(modifier and modifier.return_bool))
        if found:
            result.append(found._replace(labels=_matched_labels(kind, found, partner, modifier, card)))
    return result


def _matched_labels(kind: str, found: Element, partner: Element, modifier: Node, card: Node) -> dict[str, str]:
    if kind in functions.COMPARISON and not (modifier and modifier.return_bool):
        return found.labels
    if card == Card.OneToOne:
        return dict(_signature(found.labels, modifier))
    extra = {name: partner.labels[name] for name in modifier.group_labels or () if name in partner.labels}
    return {**found.labels, **extra}


def set_operation(kind: str, left: Vector, right: Vector, modifier: Node) -> Vector:
    known = {_signature(element.labels, modifier) for element in right}
    if kind == "and":
        return [e for e in left if _signature(e.labels, modifier) in known]
    if kind == "unless":
        return [e for e in left if _signature(e.labels, modifier) not in known]
    had = {_signature(element.labels, modifier) for element in left}
    return left + [e for e in right if _signature(e.labels, modifier) not in had]


def _signature(labels: dict[str, str], modifier: Node) -> tuple[tuple[str, str], ...]:
    matching = modifier.matching if modifier else None
    if matching is None:
        return tuple(sorted(nameless(labels).items()))
    named = set(matching.labels)
    on = matching.type == promql.LabelModifierType.Include
    return tuple(sorted((k, v) for k, v in labels.items() if (k in named) == on and k != NAME))


def nameless(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != NAME}
