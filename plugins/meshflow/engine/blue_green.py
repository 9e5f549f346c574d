"""Blue/green without Flagger, carried out: what mesh/blue_green.py decides is observed and written here.

A service that is released so has in its folder two Deployments, whose pods have the label `meshflow.io/colour` (blue,
green), and a Service with one of the two in its selector. The manifest's selector is where a first installation
starts; from then on the selector belongs to `meshflow-release`, like the images.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.engine import observing, releasing
from meshflow.engine.releasing import MANAGER, Workload
from meshflow.mesh import blue_green as rules
from meshflow.mesh.blue_green import COLOUR, COLOURS, Decision, Observation, Release, Verb
from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Obj, Reference

SLICES = ("discovery.k8s.io/v1", "EndpointSlice")
PAUSE = 1.0  # seconds between two looks while something settles
AT_ONCE = frozenset({Verb.PREPARE, Verb.SWITCH, Verb.SWITCH_BACK})


class Pair(NamedTuple):
    """The objects of such a service: its Service, the workload of each colour, and the one that serves first."""

    service: Reference
    workloads: Mapping[str, Workload]
    first: str  # as the manifest's selector says


def pair(service: str, objects: Sequence[Desired]) -> Pair:
    """The pair in a service's manifests. InvalidInput when there is not one Service and one workload per colour."""
    services = [item for item in objects if item.reference.kind == "Service" and rules.active(item.obj)]
    found = {colour: _of_colour(objects, colour) for colour in COLOURS}
    if len(services) != 1 or not all(len(items) == 1 for items in found.values()):
        raise errors.InvalidInput(
            "is no blue/green pair",
            where=services[0].origin if services else f"services/{service}",
            way_out=f"Keep one Service that selects by {COLOUR}, and one Deployment for each of {', '.join(COLOURS)}",
        )
    workloads = {colour: _workload(items[0]) for colour, items in found.items()}
    return Pair(services[0].reference, workloads, str(rules.active(services[0].obj)))


async def begin(kube: Kube, two: Pair, pinned: str, *, release_id: str, deadline: datetime) -> Release | None:
    """Give the idle colour the image and return the release to be finished; None when the active colour runs it.

    Safe to repeat: while nothing was switched the idle colour is the same one.
    """
    service = await kube.get(two.service)
    colour = rules.idle(service)
    if colour is None:
        raise errors.NotFound(f"{two.service} does not exist or does not select by {COLOUR}: apply the service first")
    serving = await kube.get(two.workloads[str(rules.active(service))].reference)
    if serving is not None and rules.runs(serving, pinned):
        return None
    await releasing.set_image(kube, two.workloads[colour], pinned, release_id=release_id)
    return Release(pinned, colour, deadline)


async def finish(
    kube: Kube,
    two: Pair,
    release: Release,
    *,
    release_id: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    say: Callable[[str], None] = lambda line: None,
) -> Decision:
    """Look, decide and act until the release has its outcome. `say` gets each new sentence."""
    said = ""
    while True:
        decision = rules.decide(await observe(kube, two), release=release, now=now())
        if decision.message != said:
            said = decision.message
            say(said)
        if decision.verb is None:
            return decision
        await _carry_out(kube, two, release, decision.verb, release_id=release_id)
        if decision.verb not in AT_ONCE:
            await pause(PAUSE)


async def observe(kube: Kube, two: Pair) -> Observation:
    """Both Deployments, the Service, and the ready pods behind it."""
    found = await asyncio.gather(
        kube.get(two.service), *(kube.get(two.workloads[colour].reference) for colour in COLOURS)
    )
    service, deployments = found[0], dict(zip(COLOURS, found[1:], strict=True))
    there = {colour: obj for colour, obj in deployments.items() if obj is not None}
    return Observation(there, service, await _serving(kube, two.service))


async def without_released(
    kube: Kube, objects: Sequence[Desired], two: Pair, *, pinned: str | None = None, release_id: str = ""
) -> tuple[Desired, ...]:
    """The objects as `meshflow` applies them: without what releases own, the images and the selector.

    On a first installation both colours start from `pinned`, or from their manifest's image.
    """
    references = [two.service, *(workload.reference for workload in two.workloads.values())]
    live = dict(zip(references, await asyncio.gather(*map(kube.get, references)), strict=True))
    kept = tuple(objects)
    for workload in two.workloads.values():
        found = live.get(workload.reference)
        kept = releasing.without_released(kept, workload, found, pinned=pinned, release_id=release_id)
    service = live.get(two.service)
    if service is None or not _owns_selector(service):
        return kept
    return tuple(_without_selector(item) if item.reference == two.service else item for item in kept)


async def _carry_out(kube: Kube, two: Pair, release: Release, verb: Verb, *, release_id: str) -> None:
    if verb is Verb.PREPARE:
        await releasing.set_image(kube, two.workloads[release.colour], release.image, release_id=release_id)
    elif verb is Verb.SWITCH:
        await _select(kube, two.service, release.colour)
    elif verb is Verb.SWITCH_BACK:
        await _select(kube, two.service, next(colour for colour in COLOURS if colour != release.colour))


async def _select(kube: Kube, reference: Reference, colour: str) -> None:
    """The whole selector is applied, for it is one field: whoever writes a part of it owns all of it."""
    service = await kube.get(reference)
    if service is None:
        raise errors.NotFound(f"{reference} was deleted in the middle of its release")
    selector = {**service["spec"].get("selector", {}), COLOUR: colour}
    metadata = {"name": reference.name, "namespace": reference.namespace}
    patch = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector}}
    await kube.apply(patch, manager=MANAGER, force=True)


async def _serving(kube: Kube, service: Reference) -> list[Obj]:
    labels = f"kubernetes.io/service-name={service.name}"
    slices, pods = await asyncio.gather(
        observing.items(kube, *SLICES, namespace=service.namespace, labels=labels),
        observing.items(kube, "v1", "Pod", namespace=service.namespace, labels=COLOUR),
    )
    ready = {
        (endpoint.get("targetRef") or {}).get("name")
        for item in slices
        for endpoint in item.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready", True)
    }
    return [pod for pod in pods if pod["metadata"]["name"] in ready]


def _of_colour(objects: Sequence[Desired], colour: str) -> list[Desired]:
    return [item for item in objects if item.reference.kind == "Deployment" and _colour(item.obj) == colour]


def _workload(item: Desired) -> Workload:
    container = item.obj["spec"]["template"]["spec"]["containers"][0]
    return Workload(item.reference, container["name"], container["image"])


def _colour(deployment: Obj) -> str:
    template = deployment["spec"]["template"]
    return str((template.get("metadata", {}).get("labels") or {}).get(COLOUR, ""))


def _owns_selector(service: Obj) -> bool:
    return any(
        "f:selector" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        for entry in service["metadata"].get("managedFields", [])
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
    )


def _without_selector(item: Desired) -> Desired:
    obj = copy.deepcopy(item.obj)
    del obj["spec"]["selector"]
    return Desired(obj, item.origin)
