"""How an object is named, everywhere: `Kind/namespace/name`, or `Kind/name` where the kind has no namespace."""

from __future__ import annotations

from typing import Any, NamedTuple

Obj = dict[str, Any]
"""A Kubernetes object as decoded from JSON or YAML."""


class Reference(NamedTuple):
    """The identity of an object. The version of its API is not part of it: v1 and v1beta1 name the same object."""

    group: str  # "" for the core group
    kind: str
    namespace: str | None  # None for a cluster-scoped object
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @classmethod
    def of(cls, obj: Obj) -> Reference:
        """The reference of an object that has apiVersion, kind and metadata.name (KeyError otherwise).

        The namespace is what the object says: one that is left out is None here, so default it first.
        """
        metadata = obj["metadata"]
        return cls(group_of(obj["apiVersion"]), obj["kind"], metadata.get("namespace") or None, metadata["name"])


def group_of(api_version: str) -> str:
    """`apps` for `apps/v1`, the empty string for `v1`."""
    return api_version.rpartition("/")[0]
