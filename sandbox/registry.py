"""An OCI registry on loopback: tags, digests and manifests by the distribution API, and the verb `push`.

It stands for every registry host: `ghcr.io/stefanprodan/podinfo` is asked as /v2/stefanprodan/podinfo/…, so a mirror
for all hosts is one address. Nothing is ever uploaded; `push` makes an image from its name (oci.py), says how it
behaves in the traffic model, and tells the subscribers (notifications.py).
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path

from sandbox import oci
from sandbox.control import Refused, Route, body_of, text
from sandbox.notifications import Notifier, Subscriber
from sandbox.oci import Blob, Name

if TYPE_CHECKING:
    from sandbox.api.replies import Request as ControlRequest
    from sandbox.cli import Verb
    from sandbox.clock import Clock
    from sandbox.cluster import Cluster
    from sandbox.traffic import Traffic

Obj = dict[str, Any]

SEEDS = (
    "ghcr.io/stefanprodan/podinfo:6.13.0",
    "ghcr.io/stefanprodan/podinfo:6.14.0",
    "ghcr.io/stefanprodan/podinfo:6.14.1",
    "docker.io/apache/kafka:4.3.1",
)
VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}


class Registry:
    """The content, and the ASGI application in front of it."""

    def __init__(self, clock: Clock, *, traffic: Traffic | None = None) -> None:
        self.traffic = traffic
        self.notifier = Notifier(clock)
        self.tags: dict[str, dict[str, str]] = {}  # repository → tag → digest of the index
        self.blobs: dict[str, Blob] = {}
        self.app = Starlette(
            routes=[
                Path("/v2/", self._root),
                Path("/v2/{repository:path}/manifests/{reference}", self._manifest, methods=["GET", "HEAD"]),
                Path("/v2/{repository:path}/blobs/{digest}", self._blob, methods=["GET", "HEAD"]),
                Path("/v2/{repository:path}/tags/list", self._tags),
            ]
        )
        for image in SEEDS:
            self.add(Name.parse(image))

    def add(self, name: Name) -> Blob:
        """Put an image in, and return its index."""
        made = list(oci.blobs(name))
        self.blobs.update((blob.digest, blob) for blob in made)
        self.tags.setdefault(name.repository, {})[name.tag] = made[-1].digest
        return made[-1]

    def push(self, image: str, **behaviour: float | None) -> str:
        """Add an image, tell everybody, and return its digest. Raises BadName.

        `behaviour` goes to the traffic model: error_rate (0 to 1), latency_p50 and latency_p99 (milliseconds).
        """
        name = Name.parse(image)
        index = self.add(name)
        if self.traffic is not None:
            self.traffic.behave(str(name), digest=index.digest, **behaviour)
        self.notifier.pushed(name, index)
        return index.digest

    async def _root(self, _: Request) -> Response:
        return JSONResponse({}, headers=VERSION)

    async def _manifest(self, request: Request) -> Response:
        repository, reference = request.path_params["repository"], request.path_params["reference"]
        if repository not in self.tags:
            return _unknown_name(repository)
        blob = self.blobs.get(self.tags[repository].get(reference, reference))
        if blob is None or blob.media_type not in (oci.INDEX, oci.MANIFEST):
            return _error("MANIFEST_UNKNOWN", "manifest unknown", {"reference": reference})
        return _content(request, blob)

    async def _blob(self, request: Request) -> Response:
        digest = request.path_params["digest"]
        blob = self.blobs.get(digest)
        if blob is None:
            return _error("BLOB_UNKNOWN", "blob unknown to registry", {"digest": digest})
        return _content(request, blob)

    async def _tags(self, request: Request) -> Response:
        repository = request.path_params["repository"]
        if repository not in self.tags:
            return _unknown_name(repository)
        return JSONResponse({"name": repository, "tags": sorted(self.tags[repository])}, headers=VERSION)


def _content(request: Request, blob: Blob) -> Response:
    headers = {**VERSION, "Docker-Content-Digest": blob.digest, "Content-Length": str(len(blob.content))}
    return Response(b"" if request.method == "HEAD" else blob.content, media_type=blob.media_type, headers=headers)


def _unknown_name(repository: str) -> Response:
    return _error("NAME_UNKNOWN", "repository name not known to registry", {"name": repository})


def _error(code: str, message: str, detail: Obj) -> Response:
    return JSONResponse({"errors": [{"code": code, "message": message, "detail": detail}]}, 404, headers=VERSION)


def control_routes(cluster: Cluster) -> list[Route]:
    """Pushing, and who is told of it."""
    registry = cluster.registry
    notifier = registry.notifier

    async def push(request: ControlRequest) -> Obj:
        body = body_of(request)
        image = text(body, "image")
        numbers = {key: _number(body, key) for key in ("error_rate", "latency_p50", "latency_p99")}
        try:
            return {"image": image, "digest": registry.push(image, **numbers)}
        except oci.BadName as error:
            raise Refused(str(error)) from error

    async def images(_: ControlRequest) -> Obj:
        return {repository: dict(tags) for repository, tags in sorted(registry.tags.items())}

    async def subscribers(_: ControlRequest) -> Obj:
        return {"subscribers": [s.url for s in notifier.subscribers], "delivered": notifier.history}

    async def subscribe(request: ControlRequest) -> Obj:
        body = body_of(request)
        headers = body.get("headers") or {}
        if not isinstance(headers, dict):
            raise Refused("'headers' must be an object of texts")
        notifier.subscribe(Subscriber(text(body, "url"), {str(key): str(value) for key, value in headers.items()}))
        return await subscribers(request)

    async def unsubscribe(request: ControlRequest) -> Obj:
        notifier.unsubscribe(body_of(request).get("url"))
        return await subscribers(request)

    return [
        Route("POST", "push", push, "push an image: {image, error_rate, latency_p50, latency_p99 in milliseconds}"),
        Route("GET", "images", images, "repositories, tags and digests of the registry"),
        Route("GET", "subscribers", subscribers, "who is told of pushes, and what became of each notification"),
        Route("POST", "subscribers", subscribe, "tell this URL of pushes: {url, headers}"),
        Route("DELETE", "subscribers", unsubscribe, "no longer: {url}, or everybody"),
    ]


def _number(body: Obj, key: str) -> float | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or value < 0 or (key == "error_rate" and value > 1):
        raise Refused(f"{key!r} must be a number {'from 0 to 1' if key == 'error_rate' else 'of milliseconds'}")
    return float(value)


def milliseconds(given: str) -> float:
    """`900ms` and `1.5s` in milliseconds; a bare number is milliseconds. Raises ValueError."""
    for unit, factor in (("ms", 1.0), ("s", 1000.0)):
        if given.endswith(unit):
            return float(given.removesuffix(unit)) * factor
    return float(given)


def _push_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE:TAG", help="what is pushed, with or without a host")
    parser.add_argument(
        "--error-rate", type=float, help="share of requests that it answers with 500, 0 to 1 (default 0)"
    )
    parser.add_argument("--latency-p50", type=milliseconds, help="its median latency, as 20ms")
    parser.add_argument("--latency-p99", type=milliseconds, help="its 99th percentile of latency, as 900ms or 1.5s")


def _push(arguments: argparse.Namespace) -> int:
    from sandbox import cli

    names = ("image", "error_rate", "latency_p50", "latency_p99")
    answer = cli.call(arguments.state, "POST", "push", {name: getattr(arguments, name) for name in names})
    sys.stdout.write(f"{answer['image']} {answer['digest']}\n")
    return 0


def _verbs() -> tuple[Verb, ...]:
    from sandbox.cli import Verb

    return (Verb("push", "push an image to the sandbox's registry", _push_arguments, _push),)


VERBS = _verbs()
