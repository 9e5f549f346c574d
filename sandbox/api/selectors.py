"""Label and field selectors in the query of a request.

`labels(text)` and `fields(text, allowed)` parse once and return a predicate; malformed ones raise ApiError 400.
An absent label matches `!=` and `notin`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.api.errors import bad_request

Obj = dict[str, Any]
Matches = Callable[[Obj], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = re.compile(r"^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUALITY = re.compile(rf"^({_KEY})\s*(==|=|!=)\s*(.*)$")
_COMPARISON = re.compile(rf"^({_KEY})\s*([<>])\s*(-?\d+)$")
_EXISTENCE = re.compile(rf"^(!?)\s*({_KEY})$")

FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "Event"): (
        *(
            f"involvedObject.{part}"
            for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        ),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("", "Namespace"): ("status.phase",),
    ("", "Node"): ("spec.unschedulable",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP", "spec.type"),
    ("", "ReplicationController"): ("status.replicas",),
    ("apps", "ReplicaSet"): ("status.replicas",),
    ("batch", "Job"): ("status.successful",),
}
"""Field selectors beyond metadata.name and metadata.namespace."""


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)]


def labels(text: str) -> LabelTest:
    """Return a predicate over a label map."""
    tests = [_requirement(part, text) for part in _split(text)] if text.strip() else []
    return lambda found: all(test(found) for test in tests)


def _requirement(part: str, whole: str) -> LabelTest:
    if match := _SET.match(part):
        key, operator, listed = match.groups()
        values = frozenset(_value(value.strip(), whole) for value in listed.split(","))
        if operator == "in":
            return lambda found: found.get(key) in values
        return lambda found: found.get(key) not in values
    if match := _EQUALITY.match(part):
        key, operator, value = match.groups()
        _value(value, whole)
        if operator == "!=":
            return lambda found: found.get(key) != value
        return lambda found: found.get(key) == value
    if match := _COMPARISON.match(part):
        key, operator, limit = match.groups()
        return lambda found: _compare(found.get(key), operator, int(limit))
    if match := _EXISTENCE.match(part):
        absent, key = match.groups()
        return lambda found: (key in found) != bool(absent)
    raise bad_request(f"unable to parse requirement: found '{part}', expected: a label selector ({whole!r})")


def _value(value: str, whole: str) -> str:
    if not _VALUE.match(value) or len(value) > 63:
        raise bad_request(f"unable to parse requirement: values: Invalid value: {value!r} in {whole!r}")
    return value


def _compare(value: str | None, operator: str, limit: int) -> bool:
    if value is None or not value.lstrip("-").isdigit():
        return False
    return int(value) > limit if operator == ">" else int(value) < limit


def fields(text: str, allowed: Iterable[str]) -> Matches:
    """Return a predicate over objects; `allowed` beside metadata.name and metadata.namespace."""
    known = {"metadata.name", "metadata.namespace", *allowed}
    tests = [_field(part, known) for part in text.split(",") if part.strip()]
    return lambda obj: all(test(obj) for test in tests)


def _field(part: str, known: set[str]) -> Matches:
    match = re.match(r"^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$", part)
    if not match:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = match.groups()
    if path not in known:
        raise bad_request(f"field label not supported: {path}")
    keys = path.split(".")
    if operator == "!=":
        return lambda obj: _at(obj, keys) != value
    return lambda obj: _at(obj, keys) == value


def name_in(text: str) -> str | None:
    """Return the name that a field selector asks for by metadata.name=…, if it does."""
    for part in text.split(","):
        if match := re.match(r"^\s*metadata\.name\s*==?\s*(.*?)\s*$", part):
            return match[1]
    return None


def _at(obj: Obj, keys: list[str]) -> str:
    value: Any = obj
    if keys == ["source"]:
        keys = ["source", "component"]
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return "false" if keys[-1] in ("unschedulable", "hostNetwork") else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
