"""The application: `create` for the plugin and, with other services, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from meshflow import errors, settings
from meshflow.hooks import store
from meshflow.web.arrivals import Runs

STATUS: tuple[tuple[type[errors.MeshflowError], int], ...] = (
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Temporary, 503),
)
"""Error → HTTP code, the first that fits; 500 for any other."""


CONNECTION = "meshflow_webhook"
"""Airflow connection whose password is the webhook's secret."""


@dataclass(frozen=True)
class Services:
    """What the pages work with."""

    secret: Callable[[], str | None]  # of the webhook; None: it is not set up
    runs: Runs
    mesh: Callable[[], settings.Mesh]
    resolve: Callable[[settings.Mesh, str], str]  # image with its tag → digest
    phase: Callable[[settings.Mesh, str], str]  # of a service's Canary, as the cluster has it now
    records: Callable[[], Path]  # the folder of all chains
    may_read: Callable[[Any, str], bool]  # user, dag id


def injected(request: Request) -> Services:
    """The services of the application that the request is for."""
    services: Services = request.app.state.services
    return services


Injected = Annotated[Services, Depends(injected)]


def create(services: Services | None = None) -> FastAPI:
    """The application. Its own documentation pages are off: they would be open to everybody."""
    from meshflow.web import push, records

    app = FastAPI(title="Meshflow", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services or airflow_services()
    app.include_router(push.router)
    app.include_router(records.router)
    app.add_exception_handler(errors.MeshflowError, _sentence)
    return app


def airflow_services() -> Services:
    """What is used inside Airflow's API server."""
    from meshflow.web import access, runs

    return Services(
        secret=runs.webhook_secret,
        runs=runs.AirflowRuns(),
        mesh=settings.load,
        resolve=_resolve,
        phase=_phase,
        records=lambda: store.home() / "records",
        may_read=access.may_read,
    )


def _resolve(mesh: settings.Mesh, image: str) -> str:
    from meshflow.clients import registry
    from meshflow.hooks import logins

    return asyncio.run(registry.resolve(image, registries=mesh.registry, logins=logins.of(mesh))).digest


def _phase(mesh: settings.Mesh, service: str) -> str:
    """On the first cluster of mesh.yaml: the one that pushes are rolled out on."""
    from meshflow.hooks.cluster import ClusterHook
    from meshflow.objects.reference import Reference
    from meshflow.operators import ways

    name = ways.of(mesh, service).canary
    if name is None:
        return ""

    async def asked() -> str:
        async with ClusterHook(next(iter(mesh.clusters))).kube() as kube:
            canary = await kube.get(Reference("flagger.app", "Canary", mesh.service(service).namespace, name))
        return str(((canary or {}).get("status") or {}).get("phase", ""))

    return asyncio.run(asked())


def _sentence(request: Request, problem: Exception) -> Response:
    """The error as its sentence: these are written for people, and hold no secret."""
    status = next((code for kind, code in STATUS if isinstance(problem, kind)), 500)
    return JSONResponse({"error": str(problem)}, status)
