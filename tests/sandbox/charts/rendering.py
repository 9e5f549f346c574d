"""Rendering the stand-in charts as Meshflow does: by the Helm engine, with the example's values where wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sandbox.charts import packing

Obj = dict[str, Any]

VALUES = Path(__file__).parents[3] / "include" / "manifests"
CHARTS = {chart.name: chart for chart in packing.charts()}


def render(chart: str, release: str, namespace: str, values: Obj | None = None, *, upgrade: bool = True) -> list[Obj]:
    """The objects of a chart, as they are rendered for an upgrade or a first installation."""
    import helm_python as helm

    with helm.Chart.load_archive(CHARTS[chart].archive) as loaded:
        texts = loaded.render(
            values or {}, name=release, namespace=namespace, is_upgrade=upgrade, is_install=not upgrade
        )
    return [obj for _, text in sorted(texts.items()) for obj in yaml.load_all(text, yaml.CSafeLoader) if obj]


def example(path: str) -> Obj:
    """A values file of the example mesh."""
    values: Obj = yaml.safe_load((VALUES / path).read_text())
    return values


def one(objects: list[Obj], kind: str, name: str | None = None) -> Obj:
    """The one object of a kind (and name)."""
    found = [obj for obj in objects if obj["kind"] == kind and name in (None, obj["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects {kind} {name}: {[o['metadata']['name'] for o in found]}"
    return found[0]
