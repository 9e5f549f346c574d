"""Kustomizations, as far as Meshflow understands them.

No well-kept Python library reads them, and the tool would be a binary more to install. Understood are resources,
namespace, namePrefix and nameSuffix, labels and commonLabels, commonAnnotations, images, replicas, patches (strategic
merge and JSON patch), configMapGenerator and secretGenerator. Anything else is an error that names the field: an
overlay that is half applied is worse than one that is refused.

The order is that of the tool: resources and generators, patches, namespace, prefix and suffix, labels, annotations,
images, replicas; and once at the top, the hashes of generated names and the references to every new name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from meshflow import positions
from meshflow.errors import InvalidInput
from meshflow.objects.kinds import Kinds
from meshflow.sources import generators, kustomization, manifests, patches, transforms
from meshflow.sources.manifests import Item

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True)
class Built:
    """An item on its way up: what it was called at first, and whether its name shall get a hash."""

    item: Item
    original: str
    hashed: bool = False

    def changed(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Built:
        return replace(self, item=self.item.holding(change(self.item.obj)))


def file_in(folder: Path) -> Path | None:
    """The kustomization of a folder; None for a folder without."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def build(folder: Path, *, root: Path, kinds: Kinds) -> list[Item]:
    """The objects of a kustomization.

    `kinds` says which kinds have a namespace; printed paths are relative to `root`.
    """
    built = _Kustomization(folder, root, kinds, above=()).build()
    hashed = [_with_hash(entry) for entry in built]
    renames = {
        (entry.item.obj["kind"], entry.original): entry.item.obj["metadata"]["name"]
        for entry in hashed
        if entry.original != entry.item.obj["metadata"]["name"]
    }
    items = [entry.changed(lambda obj: transforms.with_references(obj, renames)).item for entry in hashed]
    return [manifests.identified(item) for item in items]


def _with_hash(entry: Built) -> Built:
    if not entry.hashed:
        return entry
    return entry.changed(lambda obj: transforms.renamed(obj, f"{obj['metadata']['name']}-{generators.suffix(obj)}"))


class _Kustomization:
    """One kustomization.yaml; `above` are the folders that led here."""

    def __init__(self, folder: Path, root: Path, kinds: Kinds, *, above: tuple[Path, ...]) -> None:
        self._folder, self._root, self._kinds, self._above = folder, root, kinds, above
        file = file_in(folder)
        if file is None:
            raise InvalidInput("no kustomization.yaml in this folder", where=manifests.shown(folder, root))
        documents = positions.read(file, name=manifests.shown(file, root))
        if len(documents) != 1 or not isinstance(documents[0].value, dict):
            raise InvalidInput("must be one YAML mapping", where=manifests.shown(file, root))
        self._document = documents[0]
        self._value: dict[str, Any] = documents[0].value
        kustomization.check(self._document)

    def build(self) -> list[Built]:
        built = [*self._resources(), *self._generated()]
        built = self._patched(built)
        for step in (self._namespaced, self._renamed, self._labelled, self._annotated, self._imaged):
            built = [step(entry) for entry in built]
        return self._scaled(built)

    def _file(self, name: str, path: positions.Field) -> Path:
        """A file that is named at `path`. It lies in this folder or below, as for the tool; links are followed."""
        file = self._folder / name
        if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(self._folder)):
            raise self._document.error(
                "lies outside of this folder", path, value=name, way_out="Move it here, or make its folder a resource"
            )
        return file

    def _read(self, name: str, path: positions.Field) -> bytes:
        try:
            return self._file(name, path).read_bytes()
        except OSError as error:
            raise self._document.error(f"the file cannot be read: {error.strerror}", path, value=name) from error

    def _resources(self) -> Iterator[Built]:
        for number, name in enumerate(self._value.get("resources", [])):
            path = self._folder / name
            if "://" in name or not path.exists():
                problem = "remote resources are not supported" if "://" in name else "no such file or folder"
                raise self._document.error(problem, ("resources", number), value=name)
            if path.is_dir():
                yield from self._below(path, number)
            else:
                for item in manifests.read(self._file(name, ("resources", number)), root=self._root):
                    yield Built(item, item.obj["metadata"]["name"])

    def _below(self, folder: Path, number: int) -> list[Built]:
        above = (*self._above, self._folder.resolve())
        if folder.resolve() in above:
            raise self._document.error("this folder includes itself", ("resources", number), value=folder.name)
        return _Kustomization(folder, self._root, self._kinds, above=above).build()

    def _generated(self) -> Iterator[Built]:
        options = self._value.get("generatorOptions", {})
        for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for number, entry in enumerate(self._value.get(field, [])):
                path: positions.Field = (field, number)
                obj = generators.generate(
                    kind, entry, options=options, read=self._read, document=self._document, path=path
                )
                disabled = {**options, **entry.get("options", {})}.get("disableNameSuffixHash", False)
                item = manifests.identified(Item(obj, self._document.where(path), self._document, path))
                yield Built(item, entry["name"], hashed=not disabled)

    def _patched(self, built: list[Built]) -> list[Built]:
        for number, entry in enumerate(self._value.get("patches", [])):
            built = _Patch(entry, self._document, ("patches", number), self._patches_of(entry, number)).apply(built)
        return built

    def _patches_of(self, entry: dict[str, Any], number: int) -> list[positions.Document]:
        path: positions.Field = ("patches", number)
        if ("path" in entry) == ("patch" in entry):
            raise self._document.error("needs either 'path' or 'patch'", path)
        if "path" in entry:
            file = self._file(entry["path"], (*path, "path"))
            found = positions.read(file, name=manifests.shown(file, self._root))
        else:
            found = positions.parse(entry["patch"], name=self._document.where((*path, "patch")))
        if not found:
            raise self._document.error("the patch is empty", path)
        return found

    def _namespaced(self, entry: Built) -> Built:
        namespace, obj = self._value.get("namespace"), entry.item.obj
        if not namespace:
            return entry
        kind = self._kinds.find(obj["apiVersion"].rpartition("/")[0], obj["kind"])
        # An unknown kind is nearly always a namespaced custom resource; the planner asks the cluster in the end.
        if kind is not None and not kind.namespaced:
            return entry
        return entry.changed(lambda obj: transforms.namespaced(obj, namespace))

    def _renamed(self, entry: Built) -> Built:
        prefix, suffix = self._value.get("namePrefix", ""), self._value.get("nameSuffix", "")
        if not (prefix or suffix) or entry.item.obj["kind"] in ("Namespace", "CustomResourceDefinition"):
            return entry
        return entry.changed(lambda obj: transforms.renamed(obj, f"{prefix}{obj['metadata']['name']}{suffix}"))

    def _labelled(self, entry: Built) -> Built:
        for change in self._label_changes():
            entry = entry.changed(partial(transforms.labelled, change=change))
        return entry

    def _label_changes(self) -> Iterator[transforms.LabelChange]:
        for entry in self._value.get("labels", []):
            selectors = bool(entry.get("includeSelectors"))
            yield transforms.LabelChange(entry.get("pairs") or {}, selectors, bool(entry.get("includeTemplates")))
        if common := self._value.get("commonLabels"):
            yield transforms.LabelChange(common, selectors=True, templates=True)

    def _annotated(self, entry: Built) -> Built:
        annotations = self._value.get("commonAnnotations")
        return entry.changed(lambda obj: transforms.annotated(obj, annotations)) if annotations else entry

    def _imaged(self, entry: Built) -> Built:
        changes = [
            transforms.ImageChange(c["name"], c.get("newName"), _text(c.get("newTag")), c.get("digest"))
            for c in self._value.get("images", [])
        ]
        return entry.changed(lambda obj: transforms.with_images(obj, changes)) if changes else entry

    def _scaled(self, built: list[Built]) -> list[Built]:
        for number, change in enumerate(self._value.get("replicas", [])):
            hits = [e for e in built if e.original == change["name"] and e.item.obj["kind"] in transforms.WORKLOADS]
            if not hits:
                raise self._document.error("no workload has this name", ("replicas", number), value=change["name"])
            scale = partial(transforms.with_replicas, count=change["count"])
            built = [entry.changed(scale) if entry in hits else entry for entry in built]
        return built


class _Patch:
    """One entry of `patches`."""

    def __init__(
        self,
        entry: dict[str, Any],
        document: positions.Document,
        path: positions.Field,
        patches: list[positions.Document],
    ) -> None:
        self._place, self._path, self._patches = document, path, patches
        self._target: dict[str, Any] | None = entry.get("target")

    def apply(self, built: list[Built]) -> list[Built]:
        for patch in self._patches:
            hits = [entry for entry in built if self._selects(entry, patch.value)]
            if not hits:
                raise self._place.error("no object fits this patch", self._path, way_out="Correct its target")
            built = [new for entry in built for new in ([entry] if entry not in hits else self._one(entry, patch))]
        return built

    def _one(self, entry: Built, patch: positions.Document) -> list[Built]:
        def refuse(problem: str, path: tuple[str | int, ...]) -> InvalidInput:
            return patch.error(problem, path)

        if isinstance(patch.value, list):
            return [entry.changed(lambda obj: patches.json6902(obj, patch.value, refuse=refuse))]
        obj = patches.strategic(entry.item.obj, self._body(patch), refuse=refuse)
        return [] if obj is None else [replace(entry, item=entry.item.holding(obj))]

    def _body(self, patch: positions.Document) -> dict[str, Any]:
        """The patch without what only says which object it is for."""
        if not isinstance(patch.value, dict):
            raise patch.error("a patch is a map (strategic merge) or a list of operations (JSON patch)")
        body = {name: value for name, value in patch.value.items() if name not in ("apiVersion", "kind")}
        metadata = {n: v for n, v in _map(body.get("metadata")).items() if n not in ("name", "namespace")}
        return {**body, "metadata": metadata} if metadata else {n: v for n, v in body.items() if n != "metadata"}

    def _selects(self, entry: Built, patch: Any) -> bool:
        obj = entry.item.obj
        if self._target is not None:
            return _fits(obj, entry.original, self._target)
        if not isinstance(patch, dict):
            raise self._place.error("a JSON patch needs a 'target'", self._path)
        metadata = _map(patch.get("metadata"))
        return bool(
            obj["kind"] == patch.get("kind")
            and obj["apiVersion"] == patch.get("apiVersion")
            and metadata.get("name") in (obj["metadata"]["name"], entry.original)
            and metadata.get("namespace") in (None, obj["metadata"].get("namespace"))
        )


def _fits(obj: dict[str, Any], original: str, target: dict[str, Any]) -> bool:
    group, _, version = obj["apiVersion"].rpartition("/")
    metadata = obj["metadata"]
    exact = {"group": group, "version": version, "kind": obj["kind"]}
    if any(target.get(field) not in (None, "", value) for field, value in exact.items()):
        return False
    if (name := target.get("name")) and not any(re.fullmatch(name, n) for n in (metadata["name"], original)):
        return False
    if (namespace := target.get("namespace")) and not re.fullmatch(namespace, metadata.get("namespace") or ""):
        return False
    wanted = dict(pair.strip().split("=") for pair in target.get("labelSelector", "").split(",") if pair)
    return wanted.items() <= _map(metadata.get("labels")).items()


def _map(value: Any) -> dict[str, Any]:
    """The value if it is a map. What else stands there is found when the whole object is checked."""
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
