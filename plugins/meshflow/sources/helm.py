"""Charts rendered by the Helm engine: the only module that loads its library.

The library is Go: its runtime does not survive a fork, so it is imported where it is needed and never at the top, and
the process that renders must not fork afterwards.

Every chart is rendered as an upgrade. Some say other things on a first installation (Istio's webhooks have another
failure policy then), and what is rendered must be the same today and at the next drift check.

Templates see the version and the kinds of Kubernetes that the library knows, whatever the cluster is, and what a chart
says of versions of Kubernetes is not looked at.

Left out are hooks (jobs that Helm would run around an installation, tests among them) and notes. Nothing is looked up
in a cluster: a template that does so finds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meshflow import positions
from meshflow.errors import InvalidInput, shorten
from meshflow.objects.reference import Obj
from meshflow.sources import manifests, values
from meshflow.sources.manifests import Item

if TYPE_CHECKING:
    from helm_python.chart import Chart

HOOK = "helm.sh/hook"


class Release(NamedTuple):
    """What templates see as `.Release`."""

    name: str
    namespace: str


def render(
    archive: Path, *, release: Release, given: values.Values, computed: Mapping[str, Any] | None = None
) -> list[Item]:
    """The objects of a chart, its CustomResourceDefinitions first, then by template.

    `given` are the values of people, checked against the chart; `computed` are laid over them unchecked. Raises
    InvalidInput for an archive that is no chart, for a value that the chart does not know or take, and for a template
    that fails.
    """
    from helm_python import errors
    from helm_python.chart import Chart

    label = archive.name
    try:
        with Chart.load(archive) as chart:
            label = f"{chart.name} {chart.version}"
            return _rendered(chart, label, release, given, dict(computed or {}))
    except errors.HelmValuesError as error:
        raise values.complaint(given, str(error), chart=label) from None
    except errors.HelmRenderError as error:
        raise InvalidInput(
            f"a template fails: {shorten(str(error))}",
            where=f"chart {label}",
            way_out=f"Check the values of the release {release.name}",
        ) from None
    except (errors.HelmChartLoadError, errors.HelmChartInvalidError, errors.HelmIOError) as error:
        raise InvalidInput(f"not a Helm chart: {shorten(str(error))}", where=str(archive)) from None


def _rendered(chart: Chart, label: str, release: Release, given: values.Values, computed: dict[str, Any]) -> list[Item]:
    merged = given.merged
    _complete(chart, label)
    chart.validate_schema(merged)
    values.check(given, _known(chart), chart=label)
    templates = chart.render(
        values.merge(merged, computed),
        name=release.name,
        namespace=release.namespace,
        revision=2,
        is_install=False,
        is_upgrade=True,
    )
    definitions = [
        item for file in chart.crds for item in _objects(str(file["data"]), f"chart {label}: {file['name']}")
    ]
    others = [
        item
        for name, text in sorted(templates.items())
        if not name.endswith("NOTES.txt")
        for item in _objects(text, f"chart {label}: {name.partition('/')[2]}")
    ]
    return list(_without_twins(definitions, others))


def _known(chart: Chart) -> values.Known:
    return values.Known(
        defaults=chart.values,
        texts="\n".join([*(str(template["data"]) for template in chart.templates), str(chart.schema or "")]),
        dependencies=tuple(str(d.get("alias") or d["name"]) for d in (*_declared(chart), *chart.dependencies)),
    )


def _declared(chart: Chart) -> list[dict[str, Any]]:
    """The charts that Chart.yaml says it depends on; `chart.dependencies` are those in the archive."""
    return list(chart.metadata.get("dependencies") or [])


def _complete(chart: Chart, label: str) -> None:
    there = {d["name"] for d in chart.dependencies}
    for dependency in _declared(chart):
        if dependency["name"] not in there:
            raise InvalidInput(
                f"lacks the chart {dependency['name']} that it depends on",
                where=f"chart {label}",
                way_out="Pack it again with what it depends on (`helm package --dependency-update`)",
            )


def _objects(text: str, origin: str) -> Iterator[Item]:
    for value in positions.plain(text, name=origin):
        # Through JSON, so that what is applied and what is compared are plain JSON values with string keys.
        yield from _flat(json.loads(json.dumps(value)), origin)


def _flat(obj: Obj, origin: str) -> Iterator[Item]:
    if isinstance(obj, dict) and str(obj.get("kind", "")).endswith("List") and isinstance(obj.get("items"), list):
        for entry in obj["items"]:
            yield from _flat(entry, origin)
    elif not _is_hook(manifests.identified(Item(obj, origin)).obj):
        yield Item(_tidy(obj), origin)


def _is_hook(obj: Obj) -> bool:
    return HOOK in (obj["metadata"].get("annotations") or {})


def _tidy(obj: Obj) -> Obj:
    """Without status and without the empty fields that templates leave in metadata: applied, they would be ours."""
    metadata = {name: value for name, value in obj["metadata"].items() if value not in (None, {})}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": metadata}


def _without_twins(definitions: Iterable[Item], others: list[Item]) -> Iterator[Item]:
    """A definition in crds/ that is a template too (`crd.create`) is taken once, from the template."""
    templated = {item.reference for item in others}
    yield from (item for item in definitions if item.reference not in templated)
    yield from others
