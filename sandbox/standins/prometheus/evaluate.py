"""A small evaluator of PromQL, for machines without a real Prometheus.

The text is parsed by `promql-parser`; this walks the tree at one moment. Known are selectors with all matchers and
offsets, ranges, the functions of functions.py, aggregations, arithmetic, comparisons and set operators with label
matching. Anything else raises `Unsupported`, which names it: an answer that is wrong in silence would be worse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import promql_parser as promql

from sandbox.standins.prometheus import functions, matching
from sandbox.standins.prometheus.functions import Element
from sandbox.standins.prometheus.matching import BadQuery, Node, Unsupported, Value, Vector
from sandbox.standins.prometheus.storage import NAME, Matcher, Storage


def parse(text: str) -> Node:
    """The tree of a query. Raises BadQuery."""
    try:
        return promql.parse(text)
    except ValueError as error:
        raise BadQuery(f'invalid parameter "query": {error}') from error


class Evaluator:
    """Evaluates trees at one moment (seconds since the epoch)."""

    def __init__(self, storage: Storage, at: float) -> None:
        self.storage, self.at = storage, at

    def value(self, node: Node) -> Value:
        """The value of a tree: a number, a string or a vector."""
        match type(node).__name__:
            case "NumberLiteral" | "StringLiteral":
                return node.val  # type: ignore[no-any-return]
            case "ParenExpr":
                return self.value(node.expr)
            case "UnaryExpr":
                return self._negated(self.value(node.expr))
            case "VectorSelector":
                return self._instant(node)
            case "Call":
                return self._call(node)
            case "AggregateExpr":
                return self._aggregate(node)
            case "BinaryExpr":
                return self._binary(node)
            case "MatrixSelector":
                raise BadQuery("a range vector stands where a number or an instant vector is needed")
            case other:
                raise Unsupported(f"the sandbox's evaluator does not know {other}")

    def vector(self, node: Node) -> Vector:
        value = self.value(node)
        if not isinstance(value, list):
            raise BadQuery("an instant vector is needed")
        return value

    def number(self, node: Node) -> float:
        value = self.value(node)
        if not isinstance(value, float | int):
            raise BadQuery("a number is needed")
        return float(value)

    def _instant(self, node: Node) -> Vector:
        at = self.at - _offset(node)
        found = ((series, series.last(at)) for series in self._select(node))
        return [Element(series.labels, point.value, point.time) for series, point in found if point]

    def _ranged(self, node: Node, function: functions.Ranged, *, keeps_name: bool) -> Vector:
        if type(node).__name__ != "MatrixSelector":
            raise Unsupported(f"the sandbox's evaluator does not know ranges of {type(node).__name__}")
        end = self.at - _offset(node.vector_selector)
        start = end - node.range.total_seconds()
        result = []
        for series in self._select(node.vector_selector):
            value = function(series.between(start, end), start, end)
            if value is not None:
                result.append(Element(series.labels if keeps_name else matching.nameless(series.labels), value))
        return result

    def _select(self, node: Node) -> Iterable[Any]:
        if node.at is not None:
            raise Unsupported("the sandbox's evaluator does not know the @ modifier")
        return self.storage.select(_matcher(node), node.name)

    def _call(self, node: Node) -> Value:
        name, args = node.func.name, node.args
        if name in functions.RANGED:
            return self._ranged(args[0], functions.RANGED[name], keeps_name=name == "last_over_time")
        if name in functions.MAPPED:
            further = [self.number(arg) for arg in args[1:]]
            function = functions.MAPPED[name]
            return [
                Element(matching.nameless(e.labels), float(function(e.value, *further))) for e in self.vector(args[0])
            ]
        own: Callable[[list[Node]], Value] | None = getattr(self, f"_call_{name}", None)
        if own is None:
            raise Unsupported(f"the sandbox's evaluator does not know the function {name}()")
        return own(args)

    def _call_time(self, args: list[Node]) -> Value:
        return self.at

    def _call_vector(self, args: list[Node]) -> Value:
        return [Element({}, self.number(args[0]))]

    def _call_scalar(self, args: list[Node]) -> Value:
        found = self.vector(args[0])
        return found[0].value if len(found) == 1 else math.nan

    def _call_timestamp(self, args: list[Node]) -> Value:
        return [Element(matching.nameless(e.labels), e.time or self.at) for e in self.vector(args[0])]

    def _call_absent(self, args: list[Node]) -> Value:
        if self.vector(args[0]):
            return []
        matchers = args[0].matchers.matchers if type(args[0]).__name__ == "VectorSelector" else []
        return [Element({m.name: m.value for m in matchers if m.op == promql.MatchOp.Equal and m.name != NAME}, 1.0)]

    def _call_sort(self, args: list[Node]) -> Value:
        return sorted(self.vector(args[0]), key=lambda e: e.value)

    def _call_sort_desc(self, args: list[Node]) -> Value:
        return sorted(self.vector(args[0]), key=lambda e: -e.value)

    def _call_histogram_quantile(self, args: list[Node]) -> Value:
        quantile = self.number(args[0])
        groups: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for element in self.vector(args[1]):
            labels = matching.nameless(element.labels)
            bound = labels.pop("le", None)
            if bound is not None:
                groups.setdefault(tuple(sorted(labels.items())), []).append((float(bound), element.value))
        return [Element(dict(key), functions.histogram_quantile(quantile, found)) for key, found in groups.items()]

    def _call_label_replace(self, args: list[Node]) -> Value:
        target, replacement, source, pattern = (str(self.value(arg)) for arg in args[1:])
        compiled = re.compile(f"^(?:{pattern})$")
        result = []
        for element in self.vector(args[0]):
            found = compiled.match(element.labels.get(source, ""))
            text = found.expand(re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement)) if found else None
            labels = element.labels if text is None else {**element.labels, target: text}
            result.append(element._replace(labels={name: value for name, value in labels.items() if value}))
        return result

    def _aggregate(self, node: Node) -> Vector:
        kind = str(node.op)
        groups: dict[tuple[tuple[str, str], ...], Vector] = {}
        for element in self.vector(node.expr):
            groups.setdefault(_group(element.labels, node.modifier), []).append(element)
        if kind in functions.AGGREGATES:
            reduce = functions.AGGREGATES[kind]
            return [Element(dict(key), float(reduce([e.value for e in found]))) for key, found in groups.items()]
        if kind in ("topk", "bottomk"):
            sign, count = (-1 if kind == "topk" else 1), int(self.number(node.param))
            return [e for found in groups.values() for e in sorted(found, key=lambda e: sign * e.value)[:count]]
        if kind == "quantile":
            quantile = self.number(node.param)
            made = functions.quantile_of
            return [Element(dict(key), made(quantile, [e.value for e in found])) for key, found in groups.items()]
        raise Unsupported(f"the sandbox's evaluator does not know the aggregation {kind}")

    def _binary(self, node: Node) -> Value:
        kind = str(node.op)
        left, right = self.value(node.lhs), self.value(node.rhs)
        if isinstance(left, str) or isinstance(right, str):
            raise BadQuery(f"the operator {kind} takes no strings")
        if kind in ("and", "or", "unless"):
            return matching.set_operation(kind, matching.as_vector(left), matching.as_vector(right), node.modifier)
        if isinstance(left, list) and isinstance(right, list):
            return matching.vectors(kind, left, right, node.modifier)
        return matching.with_number(kind, left, right, as_bool=bool(node.modifier and node.modifier.return_bool))

    @staticmethod
    def _negated(value: Value) -> Value:
        if isinstance(value, list):
            return [Element(matching.nameless(e.labels), -e.value) for e in value]
        if isinstance(value, str):
            raise BadQuery("a string cannot be negated")
        return -value


def _group(labels: dict[str, str], modifier: Node) -> tuple[tuple[str, str], ...]:
    if modifier is None:
        return ()
    named = set(modifier.labels)
    by = modifier.type == promql.AggModifierType.By
    return tuple(sorted((k, v) for k, v in labels.items() if (k in named) == by and (by or k != NAME)))


def _offset(node: Node) -> float:
    return float(node.offset.total_seconds()) if node.offset else 0.0


def matches(node: Node) -> Matcher:
    """The test of a selector's labels, `__name__` included."""
    return _matcher(node)


def _matcher(node: Node) -> Matcher:
    tests = [_test(matcher) for matcher in node.matchers.matchers]
    if node.matchers.or_matchers:
        raise Unsupported("the sandbox's evaluator does not know `or` between matchers")
    if node.name:
        tests.append(lambda labels: labels[NAME] == node.name)
    return lambda labels: all(test(labels) for test in tests)


def _test(matcher: Any) -> Matcher:
    name, value, op = matcher.name, matcher.value, matcher.op
    if op == promql.MatchOp.Equal:
        return lambda labels: labels.get(name, "") == value
    if op == promql.MatchOp.NotEqual:
        return lambda labels: labels.get(name, "") != value
    pattern = re.compile(value, re.DOTALL)
    if op == promql.MatchOp.Re:
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None
