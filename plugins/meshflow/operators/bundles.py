"""What a run renders once and every later task of it reads: bundles of desired objects.

A bundle is named like the inventory it is applied as: a phase (`istio`), a stage of a phase (`mtls@permissive`), or a
service (`service-frontend`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow import errors, settings
from meshflow.hooks import store
from meshflow.settings import Mesh

if TYPE_CHECKING:
    from meshflow.objects.reference import Reference
    from meshflow.sources.rendered import Rendered

SERVICE_PREFIX = "service-"


def of_service(name: str) -> str:
    """The bundle of a service."""
    return f"{SERVICE_PREFIX}{name}"


def set_name(bundle: str) -> str:
    """The inventory that a bundle is applied as: all stages of a phase share one."""
    return bundle.partition("@")[0]


def is_stage(bundle: str) -> bool:
    """Whether a bundle is a stage on the way to its phase, and not the whole of it."""
    return "@" in bundle


def render(mesh: Mesh, bundle: str) -> Rendered:
    """The objects of a bundle from their sources. Loads the Helm library where a chart is among them."""
    from meshflow.clients.charts import ChartStore
    from meshflow.hooks import logins
    from meshflow.sources import render as sources

    charts = ChartStore(mesh.charts, logins=logins.of(mesh))
    if bundle.startswith(SERVICE_PREFIX):
        return sources.service(mesh, bundle.removeprefix(SERVICE_PREFIX), charts=charts)
    phase, _, stage = bundle.partition("@")
    return sources.phase(mesh, phase, charts=charts, stage=stage or None)


def declared_elsewhere(mesh: Mesh, name: str) -> dict[Reference, str]:
    """What all sets but this one declare, each with its set. Renders them all: for the rare case that it matters."""
    services = settings.service_names(folder=mesh.manifests / mesh.services.path)
    sets = (*mesh.phases, *map(of_service, services))
    others = [other for other in sets if other != name]
    return {item.reference: other for other in others for item in render(mesh, other).objects}


def keep(rendered: Rendered) -> str:
    """Put a bundle into the store; returns its digest, the name under which `load` finds it."""
    path = store.bundle(rendered.digest)
    if not path.exists():
        rendered.dump(path)
    return rendered.digest


def load(mesh: Mesh, bundle: str, digest: str) -> Rendered:
    """The bundle that an earlier task kept. Where this worker does not see it, it is rendered again.

    Raises Stale when the sources give other objects by now: what was planned would not be what is applied.
    """
    from meshflow.sources.rendered import Rendered

    path = store.bundle(digest)
    rendered = Rendered.load(path) if path.exists() else render(mesh, bundle)
    if rendered.digest != digest:
        raise errors.Stale(
            f"The sources of {bundle} changed since the run rendered them ({digest[:12]} then, {rendered.digest[:12]} "
            "now). Start a new run."
        )
    return rendered
