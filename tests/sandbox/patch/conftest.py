"""One object as the API server keeps it, without the server: what a write goes through apart from admission."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sandbox.patch import apply, managed, merge, strategic
from sandbox.schema import builtin, crd, decode, defaults
from sandbox.schema.node import Node, Obj


class Stored:
    """An object of one kind. Each write has a time of its own: 00:00:01, 00:00:02 and so on."""

    def __init__(self, node: Node, *, foreign: tuple[tuple[str, ...], ...] = (("status",),)) -> None:
        assert node.kind
        self.node, self.kind, self.api_version = node, node.kind, node.kind.api_version
        self.foreign = foreign
        self.obj: Obj | None = None
        self.writes = 0

    @property
    def now(self) -> str:
        self.writes += 1
        return f"2026-01-01T00:00:{self.writes:02}Z"

    def apply(self, body: Obj, manager: str = "alice", *, force: bool = False) -> Obj:
        full = {"apiVersion": self.api_version, "kind": self.kind.kind, **copy.deepcopy(body)}
        full["metadata"] = {"name": "x", **full.get("metadata", {})}
        return self._store(
            apply.server_side_apply(
                self.obj,
                full,
                node=self.node,
                manager=manager,
                api_version=self.api_version,
                force=force,
                now=self.now,
                foreign=self.foreign,
            )
        )

    def put(self, body: Obj, manager: str = "putter", *, subresource: str | None = None) -> Obj:
        """POST where there is nothing yet, PUT otherwise."""
        full = {"apiVersion": self.api_version, "kind": self.kind.kind, **copy.deepcopy(body)}
        full["metadata"] = {"name": "x", **full.get("metadata", {})}
        new = self._decoded(full)
        entries = managed.track_update(
            self.obj,
            new,
            node=self.node,
            manager=manager,
            api_version=self.api_version,
            now=self.now,
            subresource=subresource,
            foreign=self.foreign if subresource is None else (("spec",), ("metadata",)),
        )
        new["metadata"].pop("managedFields", None)
        if entries:
            new["metadata"]["managedFields"] = entries
        self.obj = new
        return new

    def patch(self, patch: Obj, manager: str = "patcher", *, kind: str = "merge") -> Obj:
        assert self.obj is not None
        made = merge.apply(self.obj, patch) if kind == "merge" else strategic.apply(self.node, self.obj, patch)
        return self.put(made, manager)

    def _decoded(self, obj: Obj) -> Obj:
        decoded = decode.decode(self.node, obj, field_validation="Ignore").obj
        defaults.apply(self.node, decoded)
        return decoded

    def _store(self, obj: Obj) -> Obj:
        self.obj = self._decoded(obj)
        return self.obj

    def owned(self, manager: str, operation: str = "Apply") -> Any:
        """The fields of a manager; None where it owns nothing."""
        for entry in self.entries():
            if (entry["manager"], entry["operation"]) == (manager, operation):
                return entry["fieldsV1"]
        return None

    def entries(self) -> list[Obj]:
        assert self.obj is not None
        found: list[Obj] = self.obj["metadata"].get("managedFields", [])
        return found


def built_in(group: str, version: str, kind: str) -> Stored:
    node = builtin.of(group, version, kind)
    assert node is not None
    return Stored(node)


@pytest.fixture
def configmap() -> Stored:
    return built_in("", "v1", "ConfigMap")


@pytest.fixture
def deployment() -> Stored:
    return built_in("apps", "v1", "Deployment")


@pytest.fixture
def service() -> Stored:
    return built_in("", "v1", "Service")


@pytest.fixture
def secret() -> Stored:
    return built_in("", "v1", "Secret")


@pytest.fixture
def widget() -> Stored:
    """A custom resource with every sort of list and map."""
    text = {"type": "string"}
    row = {"type": "object", "required": ["name"], "properties": {"name": text, "value": text}}
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    spec = {
        "type": "object",
        "properties": {
            "plain": {"type": "array", "items": text},
            "tags": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
            "rows": {"type": "array", "items": row, **keyed},
            "labels": {"type": "object", "additionalProperties": text},
            "whole": {"type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic"},
            "parts": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"a": text, "b": text}},
            },
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "color": {**text, "default": "red"},
        },
    }
    schema = {
        "type": "object",
        "properties": {"spec": spec, "status": {"type": "object", "properties": {"phase": text}}},
    }
    return Stored(crd.compile(schema, group="example.test", version="v1", kind="Widget"))


def workload(*containers: Obj, replicas: int | None = 1, **template: Any) -> Obj:
    """A Deployment with these containers (`main` alone when none is given)."""
    spec: Obj = {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": list(containers) or [{"name": "main", "image": "app:1"}], **template},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"metadata": {"labels": {"app": "x"}}, "spec": spec}


@pytest.fixture(name="workload")
def workload_fixture() -> Any:
    return workload
