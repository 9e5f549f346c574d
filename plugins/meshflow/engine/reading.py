"""Live objects in as few requests as their number allows: each kind is listed once, a single object is fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from meshflow.clients.kube import Kube
from meshflow.errors import Forbidden, NotFound
from meshflow.objects.kinds import Kind
from meshflow.objects.reference import Obj, Reference

CONCURRENCY = 8

_ALWAYS_BY_NAMESPACE = frozenset(("secrets", "configmaps"))
"""Listing these everywhere moves much data, and few accounts may."""


async def read(
    kube: Kube, references: Iterable[Reference], *, versions: Mapping[tuple[str, str], str] | None = None
) -> dict[Reference, Obj]:
    """The live objects among `references`; those that do not exist, or whose kind does not, are left out.

    `versions` says by (group, kind) in which version to read; without it the preferred one.
    """
    by_kind: dict[tuple[str, str], list[Reference]] = {}
    for reference in references:
        by_kind.setdefault((reference.group, reference.kind), []).append(reference)
    limit = asyncio.Semaphore(CONCURRENCY)

    async def one(key: tuple[str, str], wanted: list[Reference]) -> dict[Reference, Obj]:
        async with limit:
            return await _read_kind(kube, wanted, (versions or {}).get(key))

    found: dict[Reference, Obj] = {}
    for part in await asyncio.gather(*(one(key, wanted) for key, wanted in sorted(by_kind.items()))):
        found |= part
    return found


async def _read_kind(kube: Kube, wanted: list[Reference], version: str | None) -> dict[Reference, Obj]:
    """In that version, or in another one where the cluster does not serve it: a set may be about to change that."""
    found = await _read_version(kube, wanted, version)
    if not found and (other := await kube.another_version(wanted[0], version=version)):
        found = await _read_version(kube, wanted, other)
    return found


async def _read_version(kube: Kube, wanted: list[Reference], version: str | None) -> dict[Reference, Obj]:
    if len(wanted) == 1:
        obj = await kube.get(wanted[0], version=version)
        return {} if obj is None else {wanted[0]: obj}
    try:
        kind = await kube.kind_of(wanted[0], version=version)
        items = await _listed(kube, kind, sorted({reference.namespace or "" for reference in wanted}))
    except NotFound:
        return {}
    live = {Reference.of(item): item for item in items}
    return {reference: live[reference] for reference in wanted if reference in live}


async def _listed(kube: Kube, kind: Kind, namespaces: list[str]) -> list[Obj]:
    if not kind.namespaced:
        return (await kube.list(kind)).items
    if len(namespaces) > 1 and kind.plural not in _ALWAYS_BY_NAMESPACE:
        try:
            return (await kube.list(kind)).items
        except Forbidden:
            pass  # an account that may only read its namespaces is asked for those
    return [item for namespace in namespaces for item in (await kube.list(kind, namespace=namespace)).items]
