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
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from meshflow import files
from meshflow.declared import ChartSource
from meshflow.errors import InvalidInput, MeshflowError, Unreachable
from meshflow.objects.reference import Obj
from meshflow.settings import Mesh
from meshflow.sources import charts
from meshflow.sources import schema as schemas
from meshflow.sources.manifests import Item
from meshflow.sources.rendered import canonical
from meshflow.sources.schema import Schema

log = logging.getLogger(__name__)

FORMAT = "1"
"""Changes when what is kept changes, so that no older file is taken for it."""

Definitions = Mapping[str, Schema]
"""`group/version/kind` → OpenAPI schema."""


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
        if version and (schema := (version.get("schema") or {}).get("openAPIV3Schema"))
    }


def check(item: Item) -> None:
    """Raise InvalidInput for a definition that nothing can be checked by; the schema in it is the server's to judge."""
    schemas.check(item)
    spec = item.obj.get("spec") or {}
    for name in ("names", "versions"):
        if not spec.get(name) or None in spec[name]:  # the schema of definitions lets null pass
            raise item.error(f"the field {name!r} is missing", ("spec", name))


def declared(mesh: Mesh, store: charts.Charts) -> Definitions:
    """The schemas that the charts of mesh.yaml bring, but for charts that cannot be had now."""
    sources = list(dict.fromkeys(source for _, _, source in mesh.chart_sources() if charts.used(mesh, source)))
    archives = _archives(mesh, sources, store)
    if len(archives) < len(sources):
        return _rendered(mesh, archives, store)
    file = _file(mesh, archives)
    with suppress(OSError, ValueError):  # not there, or spoilt: it is made anew
        kept: dict[str, Schema] = json.loads(file.read_bytes())
        return kept
    definitions = _rendered(mesh, archives, store)
    _keep(file, definitions)
    return definitions


def _archives(mesh: Mesh, sources: Iterable[ChartSource], store: charts.Charts) -> dict[ChartSource, Path]:
    """The archives that can be had now. The first repository that does not answer ends the search: it took its time."""
    found: dict[ChartSource, Path] = {}
    for source in sources:
        try:
            found[source] = charts.archive(mesh, source, store)
        except MeshflowError as error:
            log.warning("Custom resources of the chart %s are left to the server: %s", source.chart, error)
            if isinstance(error, Unreachable):
                break
    return found


def _rendered(mesh: Mesh, sources: Iterable[ChartSource], store: charts.Charts) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for source in sources:
        try:
            found |= of(item.obj for item in charts.objects(mesh, source, store))
        except MeshflowError as error:  # a wrong value; the phase that it belongs to says so
            log.warning("Custom resources of the chart %s are left to the server: %s", source.chart, error)
    return found


def _file(mesh: Mesh, archives: Mapping[ChartSource, Path]) -> Path:
    """Where the definitions of these charts with these values are kept."""
    digest = hashlib.sha256(FORMAT.encode())
    for source, archive in archives.items():
        digest.update(archive.read_bytes())
        for path in source.values:
            digest.update((mesh.manifests / path).read_bytes() if (mesh.manifests / path).is_file() else b"")
        digest.update(canonical(charts.computed(mesh, source)))
    return charts.cache(mesh) / "definitions" / f"{digest.hexdigest()}.json"


def _keep(file: Path, definitions: Definitions) -> None:
    try:
        files.write(file, canonical(definitions))
    except InvalidInput as error:  # the cache may have come with the image, read-only
        log.warning("Definitions of custom resources are made anew each time: %s", error)
