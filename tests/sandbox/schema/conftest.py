"""The nodes that these tests read objects with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.schema import builtin, crd, decode, defaults, validate
from sandbox.schema.node import Node, Obj


def node_of(api_version: str, kind: str) -> Node:
    group, _, version = api_version.rpartition("/")
    node = builtin.of(group, version, kind)
    assert node is not None, f"{api_version} {kind} has no schema"
    return node


def stored(api_version: str, kind: str, **parts: Any) -> Obj:
    """An object of a built-in kind as it is after decoding and defaulting."""
    node = node_of(api_version, kind)
    obj = decode.decode(node, {"metadata": {"name": "x"}, **parts}).obj
    defaults.apply(node, obj)
    return obj


def problems(api_version: str, kind: str, old: Obj | None = None, **parts: Any) -> list[tuple[str, str]]:
    """What is wrong with an object of a built-in kind, as (reason, field)."""
    obj = {"apiVersion": api_version, "kind": kind, **stored(api_version, kind, **parts)}
    return [(str(e.reason), e.field) for e in validate.validate(node_of(api_version, kind), obj, old=old)]


@pytest.fixture(name="node_of")
def node_of_fixture() -> Callable[..., Node]:
    return node_of


@pytest.fixture(name="stored")
def stored_fixture() -> Callable[..., Obj]:
    return stored


@pytest.fixture(name="problems")
def problems_fixture() -> Callable[..., list[tuple[str, str]]]:
    return problems


@pytest.fixture
def custom() -> Callable[[Obj], Node]:
    """The node of a custom resource whose `spec` has these properties; what else is given belongs to spec itself."""

    def make(properties: Obj, **more: Any) -> Node:
        spec = {"type": "object", "properties": properties, **more}
        schema = {"type": "object", "properties": {"spec": spec}}
        return crd.compile(schema, group="example.test", version="v1", kind="Widget")

    return make
