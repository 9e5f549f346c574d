"""What custom resources look like, from the CustomResourceDefinitions that the declared charts bring.

A misspelt field of a VirtualService or a Canary is found here, with its line, before any cluster is asked. The
definitions come out of the charts of all phases; making them costs half a second, so they are kept in the cache under
a digest of everything they were made of.

A chart that cannot be had now (no network, not locked yet) is no reason to stop a service's release: its custom
resources are then left to the server, which validates them anyway when the plan asks it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from meshflow.errors import MeshflowError
from meshflow.objects.reference import Obj
from meshflow.settings import ChartSource, Mesh
from meshflow.sources import charts
from meshflow.sources.rendered import canonical
from meshflow.sources.schema import Schema

log = logging.getLogger(__name__)

FORMAT = "1"
"""Changes when what is kept changes, so that no older file is taken for it."""

Definitions = Mapping[str, Schema]
"""`group/version/kind` → OpenAPI schema."""


class _Found(NamedTuple):
    definitions: dict[str, Schema]
    complete: bool


def key(api_version: str, kind: str) -> str:
    """Where a kind stands in `Definitions`."""
    return f"{api_version}/{kind}"


def of(objects: Iterable[Obj]) -> dict[str, Schema]:
    """The schemas in the CustomResourceDefinitions among these objects."""
    return {
        key(f"{obj['spec']['group']}/{version['name']}", obj["spec"]["names"]["kind"]): schema
        for obj in objects
        if obj["kind"] == "CustomResourceDefinition"
        for version in obj["spec"]["versions"]
        if (schema := (version.get("schema") or {}).get("openAPIV3Schema"))
    }


def declared(mesh: Mesh, store: charts.Charts) -> Definitions:
    """The schemas that the charts of mesh.yaml bring, but for charts that cannot be had now."""
    sources = [source for _, _, source in mesh.chart_sources() if charts.used(mesh, source)]
    file = _file(mesh, sources, store)
    if file is not None and file.exists():
        kept: dict[str, Schema] = json.loads(file.read_bytes())
        return kept
    found = _rendered(mesh, sources, store)
    if file is not None and found.complete:
        _keep(file, found.definitions)
    return found.definitions


def _rendered(mesh: Mesh, sources: Iterable[ChartSource], store: charts.Charts) -> _Found:
    found, complete = dict[str, Schema](), True
    for source in sources:
        try:
            found |= of(item.obj for item in charts.objects(mesh, source, store))
        except MeshflowError as error:
            log.warning("Custom resources of the chart %s are left to the server: %s", source.chart, error)
            complete = False
    return _Found(found, complete)


def _file(mesh: Mesh, sources: Iterable[ChartSource], store: charts.Charts) -> Path | None:
    """Where the definitions of these charts with these values are kept; None where a chart cannot be had."""
    digest = hashlib.sha256(FORMAT.encode())
    try:
        for source in sources:
            digest.update(charts.archive(mesh, source, store).read_bytes())
            digest.update(canonical([charts.given(mesh, source).merged, charts.computed(mesh, source)]))
    except MeshflowError:
        return None
    folder = mesh.charts.cache
    return folder / "definitions" / f"{digest.hexdigest()}.json" if folder else None


def _keep(file: Path, definitions: Definitions) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_bytes(canonical(definitions))
    draft.replace(file)
