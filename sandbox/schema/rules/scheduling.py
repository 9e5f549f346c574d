"""Where a pod may run: tolerations, affinity between pods, spreading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sandbox.schema.errors import FieldError, duplicate, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def check(found: Obj, path: str) -> Iterator[FieldError]:
    """The scheduling part of a pod's spec."""
    yield from _tolerations(found.get("tolerations") or (), f"{path}.tolerations")
    for name in ("podAffinity", "podAntiAffinity"):
        yield from _affinity((found.get("affinity") or {}).get(name) or {}, f"{path}.affinity.{name}")
    yield from _spread(found.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")


def _tolerations(tolerations: Iterable[Obj], path: str) -> Iterator[FieldError]:
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        value, effect = toleration.get("value", ""), toleration.get("effect", "")
        if key:
            yield from (invalid(f"{here}.key", key, text) for text in names.qualified(key))
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{here}.operator", operator, text)
        if "tolerationSeconds" in toleration and effect != "NoExecute":
            yield invalid(f"{here}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator in ("", "Equal"):
            yield from (invalid(f"{here}.operator", value, text) for text in names.label_value(value))
        elif operator not in OPERATORS:
            yield not_supported(f"{here}.operator", operator, OPERATORS)
        elif value:
            yield invalid(f"{here}.operator", value, "value must be empty when `operator` is 'Exists'")
        if effect and effect not in EFFECTS:
            yield not_supported(f"{here}.effect", effect, EFFECTS)


def _affinity(affinity: Obj, path: str) -> Iterator[FieldError]:
    for index, term in enumerate(affinity.get(REQUIRED) or ()):
        yield from _term(term, f"{path}.{REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(PREFERRED) or ()):
        here, weight = f"{path}.{PREFERRED}[{index}]", weighted.get("weight", 0)
        if not 1 <= weight <= 100:
            yield invalid(f"{here}.weight", weight, "must be in the range 1-100")
        yield from _term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")


def _term(term: Obj, path: str) -> Iterator[FieldError]:
    key = term.get("topologyKey", "")
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from (invalid(f"{path}.topologyKey", key, text) for text in names.qualified(key))


def _spread(constraints: Iterable[Obj], path: str) -> Iterator[FieldError]:
    seen: list[tuple[str, str]] = []
    for index, constraint in enumerate(constraints):
        here, skew = f"{path}[{index}]", constraint.get("maxSkew", 0)
        key, otherwise = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        if skew <= 0:
            yield invalid(f"{here}.maxSkew", skew, "must be greater than zero")
        if not key:
            yield required(f"{here}.topologyKey", "can not be empty")
        if otherwise not in UNSATISFIABLE:
            yield not_supported(f"{here}.whenUnsatisfiable", otherwise, UNSATISFIABLE)
        if (key, otherwise) in seen:
            first = f"{path}[{seen.index((key, otherwise))}]"
            yield duplicate(f"{first}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {otherwise}}}")
        seen.append((key, otherwise))
