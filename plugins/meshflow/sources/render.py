"""A phase or a service put together from its sources: every object named, namespaced, checked, and there once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from meshflow import complaints
from meshflow.declared import ChartSource, InjectedNamespace, ManifestSource
from meshflow.errors import InvalidInput
from meshflow.objects.kinds import Kinds
from meshflow.objects.parsing import Desired
from meshflow.settings import Mesh
from meshflow.sources import charts as chart_sources
from meshflow.sources import definitions, kustomize, manifests, schema
from meshflow.sources.charts import Charts
from meshflow.sources.manifests import Item
from meshflow.sources.rendered import Rendered

INJECTION = "istio-injection"
REVISION = "istio.io/rev"


class _Part(NamedTuple):
    """The objects of one source; `namespace` is that of objects that name none."""

    items: list[Item]
    line: str
    namespace: str | None


def phase(mesh: Mesh, name: str, *, charts: Charts, stage: str | None = None) -> Rendered:
    """The objects of a phase.

    `stage` picks one stage of a phase that has stages; None means the last, which is the state the phase ends in.
    Raises InvalidInput with file, line and field for whatever is wrong in a manifest, a value or mesh.yaml.
    """
    chosen = _stage(mesh, name, stage)
    kinds = Kinds.builtin()
    parts = [
        _chart(mesh, source, charts)
        if isinstance(source, ChartSource)
        else _manifests(mesh, source.path, kinds, namespace=None)
        for source in mesh.phase(name).sources
        if source.stage in (None, chosen) and (not isinstance(source, ChartSource) or chart_sources.used(mesh, source))
    ]
    if name == "injection":
        parts.append(_undeclared_namespaces(mesh))
    return _finished(mesh, parts, kinds, charts)


def service(mesh: Mesh, name: str, *, charts: Charts | None = None) -> Rendered:
    """The objects of a service under manifests/services; those that name no namespace get the application's.

    `charts` lets custom resources be checked against the definitions in the charts; None leaves them to the server.
    """
    found = mesh.service(name)
    kinds = Kinds.builtin()
    return _finished(mesh, [_manifests(mesh, found.path, kinds, namespace=found.namespace)], kinds, charts)


def _stage(mesh: Mesh, name: str, stage: str | None) -> str | None:
    stages = mesh.phase(name).stages
    if stage is None:
        return stages[-1] if stages else None
    if stage not in stages:
        raise InvalidInput(
            f"the phase has no such stage{complaints.suggestion(stage, stages)}",
            where=mesh.where("phases", name, "sources"),
            field=f"phases.{name}",
            value=stage,
            way_out=f"Its stages are {', '.join(stages) or 'none'}",
        )
    return stage


def _manifests(mesh: Mesh, path: Path, kinds: Kinds, *, namespace: str | None) -> _Part:
    full, root = mesh.manifests / path, chart_sources.root(mesh)
    if full.is_dir() and kustomize.file_in(full):
        items = kustomize.build(full, root=root, kinds=kinds)
    else:
        items = manifests.read(full, root=root)
    return _Part(items, f"{manifests.shown(full, root)}: {_count(items)}", namespace)


def _chart(mesh: Mesh, source: ChartSource, charts: Charts) -> _Part:
    items = chart_sources.objects(mesh, source, charts)
    line = f"chart {source.chart} {mesh.version_of(source)} as {source.release}: {_count(items)}"
    return _Part(items, line, source.namespace)


def _finished(mesh: Mesh, parts: Sequence[_Part], kinds: Kinds, charts: Charts | None) -> Rendered:
    _check(mesh, [item for part in parts for item in part.items], charts)
    for part in parts:
        for item in part.items:
            if item.obj["kind"] == "CustomResourceDefinition":
                kinds.learn(item.obj)
    placed = [_labelled(mesh, _placed(item, part.namespace, kinds)) for part in parts for item in part.items]
    return Rendered(
        objects=tuple(Desired(item.obj, item.origin) for item in manifests.unique(placed)),
        sources=tuple(part.line for part in parts if part.items),
    )


def _check(mesh: Mesh, items: Sequence[Item], charts: Charts | None) -> None:
    """Check what people wrote against the schemas; what charts made is left to the server."""
    written = [item for item in items if item.document]
    for item in written:
        if item.obj["kind"] == "CustomResourceDefinition":
            definitions.check(item)
    own = definitions.of(item.obj for item in items)
    custom = [item for item in written if not schema.of(item.obj)]
    if charts is not None and any(_key(item) not in own for item in custom):
        own = {**definitions.declared(mesh, charts), **own}
    for item in written:
        schema.check(item, own.get(_key(item)))


def _key(item: Item) -> str:
    return definitions.key(item.obj["apiVersion"], item.obj["kind"])


def _placed(item: Item, namespace: str | None, kinds: Kinds) -> Item:
    """The item in its namespace, or without one where its kind has none."""
    obj, metadata = item.obj, item.obj["metadata"]
    try:
        kind = kinds.of(obj["apiVersion"], obj["kind"])
    except InvalidInput as error:
        raise item.error(error.problem, ("kind",), way_out=error.way_out) from None
    own = metadata.get("namespace")
    if not kind.namespaced:
        if own and item.document:
            raise item.error(f"{obj['kind']} has no namespace", ("metadata", "namespace"), way_out="Remove the field")
        return item.holding({**obj, "metadata": {n: v for n, v in metadata.items() if n != "namespace"}})
    if not own and not namespace:
        raise item.error(f"{obj['kind']} needs a namespace", ("metadata",), way_out="Set metadata.namespace")
    return item.holding({**obj, "metadata": {**metadata, "namespace": own or namespace}})


def _labelled(mesh: Mesh, item: Item) -> Item:
    """A Namespace that is to be injected, with the label that turns injection on."""
    entry = _injected(mesh, item)
    if entry is None:
        return item
    metadata = item.obj["metadata"]
    labels = metadata.get("labels") or {}
    for label in (INJECTION, REVISION):
        if label in labels:
            raise item.error(
                "injection is declared in mesh.yaml", ("metadata", "labels", label), way_out="Remove the label here"
            )
    return item.holding({**item.obj, "metadata": {**metadata, "labels": {**labels, **injection_label(mesh, entry)}}})


def _injected(mesh: Mesh, item: Item) -> InjectedNamespace | None:
    if item.obj["kind"] != "Namespace":
        return None
    name = item.obj["metadata"]["name"]
    return next((entry for entry in mesh.injection.namespaces if entry.name == name), None)


def injection_label(mesh: Mesh, entry: InjectedNamespace) -> dict[str, str]:
    """The one label of an injected namespace: both together would make Istio ignore the revision."""
    revision = entry.revision or mesh.istio.revision
    return {REVISION: revision} if revision else {INJECTION: "enabled"}


def _undeclared_namespaces(mesh: Mesh) -> _Part:
    """Namespace objects for the injected namespaces that no phase's manifests declare."""
    declared = set(_declared_namespaces(mesh))
    items = [
        Item(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": entry.name}},
            mesh.where("injection", "namespaces", number),
        )
        for number, entry in enumerate(mesh.injection.namespaces)
        if entry.name not in declared
    ]
    return _Part(items, f"injection.namespaces in mesh.yaml: {_count(items)}", None)


def _declared_namespaces(mesh: Mesh) -> Iterator[str]:
    kinds, seen = Kinds.builtin(), set[Path]()
    for name in mesh.phases:
        for source in mesh.phases[name].sources:
            if isinstance(source, ManifestSource) and source.path not in seen:
                seen.add(source.path)
                for item in _manifests(mesh, source.path, kinds, namespace=None).items:
                    if item.obj["kind"] == "Namespace":
                        yield item.obj["metadata"]["name"]


def _count(items: Iterable[Item]) -> str:
    number = len(list(items))
    return f"{number} object{'' if number == 1 else 's'}"
