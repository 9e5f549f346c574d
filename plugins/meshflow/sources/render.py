"""A phase or a service, put together from its sources."""

from __future__ import annotations

from meshflow.settings import Mesh
from meshflow.sources.rendered import Rendered


def phase(mesh: Mesh, name: str, *, charts: object, stage: str | None = None) -> Rendered:
    """The objects of a phase. `charts` is a `clients.charts.ChartStore`.

    `stage` picks one stage of a phase that has stages; None means the last, which is the state the phase ends in.
    """
    raise NotImplementedError


def service(mesh: Mesh, name: str) -> Rendered:
    """The objects of a service under include/manifests/services."""
    raise NotImplementedError
