"""YAML files as objects that remember their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from meshflow import positions
from meshflow.errors import InvalidInput
from meshflow.objects.reference import Obj, Reference

SUFFIXES = (".yaml", ".yml", ".json")

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_SEGMENT = re.compile(r"^[^/%]+$")


@dataclass(frozen=True)
class Item:
    """One object on its way to being desired.

    `document` and `inside` say where it was written: None for what a chart or a generator made. `origin` is what people
    are told.
    """

    obj: Obj
    origin: str
    document: positions.Document | None = None
    inside: positions.Field = ()

    def error(
        self, problem: str, path: Sequence[str | int] = (), *, value: object = None, way_out: str | None = None
    ) -> InvalidInput:
        """The error that points at a field of this object, as exactly as its origin allows."""
        where = self.document.where((*self.inside, *path)) if self.document else self.origin
        return InvalidInput(problem, where=where, field=positions.dotted(path) or None, value=value, way_out=way_out)

    def holding(self, obj: Obj) -> Item:
        """The same item with another object."""
        return replace(self, obj=obj)

    @property
    def reference(self) -> Reference:
        return Reference.of(self.obj)


def read(path: Path, *, root: Path) -> list[Item]:
    """The objects of a file, or of the YAML and JSON files directly in a folder, in the order of their names.

    Hidden files are left out: editors and mounts put things there. `root` is the folder that printed paths are relative
    to. Every item has apiVersion, kind and metadata.name.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.name[0] != ".")
        if not files:
            raise InvalidInput("no manifests in this folder", where=shown(path, root))
        return [item for file in files for item in read(file, root=root)]
    return [item for document in positions.read(path, name=shown(path, root)) for item in split(document)]


def split(document: positions.Document) -> Iterator[Item]:
    """The objects of a document: one, or the items of a List."""
    value = document.value
    if not isinstance(value, dict):
        raise document.error("must be a Kubernetes object (a YAML mapping)")
    if str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for number, obj in enumerate(value["items"]):
            inside: positions.Field = ("items", number)
            yield identified(Item(obj, document.where(inside), document, inside))
    else:
        yield identified(Item(value, document.where(), document))


def identified(item: Item) -> Item:
    """The item, once it is sure that it has apiVersion, kind and a legal name."""
    obj: Any = item.obj
    if not isinstance(obj, dict):
        raise item.error("must be a Kubernetes object (a YAML mapping)")
    for name in ("apiVersion", "kind"):
        if not isinstance(obj.get(name), str) or not obj[name]:
            raise item.error(f"the field {name!r} is missing", (name,) if name in obj else ())
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise item.error("the field 'metadata.name' is missing", ("metadata",))
    if not legal_name(obj):
        raise item.error(
            "not a legal name",
            ("metadata", "name"),
            value=metadata["name"],
            way_out="Use small letters, digits, '-' and '.', beginning and ending with a letter or digit",
        )
    if isinstance(namespace := metadata.get("namespace"), str) and namespace and not _LABEL.match(namespace):
        raise item.error("not a legal name", ("metadata", "namespace"), value=namespace)
    return item


def legal_name(obj: Obj) -> bool:
    """Whether the name is one that Kubernetes takes for this kind."""
    name = str(obj["metadata"]["name"])
    if obj["apiVersion"].startswith("rbac.authorization.k8s.io/"):
        return bool(_SEGMENT.match(name))
    if obj["kind"] in ("Namespace", "Service"):
        return bool(_LABEL.match(name))
    return len(name) <= 253 and bool(_SUBDOMAIN.match(name))


def unique(items: Iterable[Item]) -> list[Item]:
    """The items, once it is sure that no object is there twice."""
    seen: dict[Reference, Item] = {}
    for item in items:
        if (first := seen.get(item.reference)) is not None:
            raise item.error(
                f"{item.reference} is declared twice, first at {first.origin}", way_out="Remove one of the two"
            )
        seen[item.reference] = item
    return list(seen.values())


def shown(path: Path, root: Path) -> str:
    """A path as people are told: relative to the checkout where it is inside."""
    try:
        return str(path.resolve().relative_to(root.resolve()))
    except (ValueError, OSError, RuntimeError):  # elsewhere; or a link to itself
        return str(path)
