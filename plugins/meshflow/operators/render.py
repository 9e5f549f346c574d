"""The first task of every phase: sources → objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from meshflow.operators import bundles
from meshflow.operators.base import MeshOperator


class Render(MeshOperator):
    """Render bundles and keep them for the tasks that follow. Asks no cluster.

    Returns {bundle: {digest, objects, sources}}.
    """

    ui_color = "#dfe8f5"

    def __init__(self, *, bundles: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bundles = list(bundles)

    def work(self, context: Context) -> dict[str, Any]:
        """Render each bundle; the first error ends the task before anything was kept of it."""
        mesh, result = self.mesh, {}
        for bundle in self.bundles:
            rendered = bundles.render(mesh, bundle)
            digest = bundles.keep(rendered)
            self.log.info("%s: %d objects, sha256 %s, from", bundle, len(rendered.objects), digest[:12])
            for source in rendered.sources:
                self.log.info("  %s", source)
            result[bundle] = {"digest": digest, "objects": len(rendered.objects), "sources": list(rendered.sources)}
        return result
