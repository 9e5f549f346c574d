"""Flagger's load tester: load tests that really raise the rate of a Service, and gates that people open and close.

A load test is a shell command; nothing is run here. What it would send is read from it: `hey -z 1m -q 10 -c 2 URL`
is 20 requests per second for a minute, to the Service in the URL. Gates are kept in memory under the Canary's name
and namespace alone, as in the real one: all confirm-* hooks of a Canary share one gate, and sleep closes them all.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.network import NetworkError
from sandbox.standins.base import StandIn
from sandbox.standins.flagger.spec import seconds
from sandbox.traffic import Load

Obj = dict[str, Any]

PORT = 8080
WORKERS, WORKER_RPS, LASTS = 50, 10.0, 60.0  # of a load test that does not say
BLOCKING = frozenset({"bash", "helm", "helmv3", "kubectl", "concord"})  # the answer waits for the command's end
_URL = re.compile(r"https?://[^\s'\"]+")


class Command(NamedTuple):
    """What a load test would send: `lasts` in seconds of the sandbox's clock."""

    url: str
    rps: float
    lasts: float
    headers: Mapping[str, str]


class LoadTester(StandIn):
    """The program behind Flagger's webhooks."""

    image_names: ClassVar[tuple[str, ...]] = ("flagger-loadtester",)
    manager: ClassVar[str] = "flagger-loadtester"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.open: set[str] = set()

    def apps(self) -> Mapping[int, Starlette]:
        gate = {f"/{kind}/{verb}": (kind, verb) for kind in ("gate", "rollback") for verb in ("check", "open", "close")}
        routes = [Route(path, self._gate(*what), methods=["GET", "POST"]) for path, what in gate.items()]
        fixed = {"/healthz": (200, "OK"), "/gate/approve": (200, "OK"), "/gate/halt": (403, "Forbidden")}
        routes += [Route(path, _always(*answer), methods=["GET", "POST"]) for path, answer in fixed.items()]
        return {PORT: Starlette(routes=[*routes, Route("/", self._task, methods=["POST"])])}

    def _gate(self, kind: str, verb: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            document = await _document(request)
            if document is None:
                return Response(status_code=400)
            key = f"{document.get('name', '')}.{document.get('namespace', '')}"
            return self.turn(kind, verb, key if kind == "gate" else f"rollback.{key}")

        return answer

    def turn(self, kind: str, verb: str, key: str) -> Response:
        """Open, close or check one gate."""
        if verb == "check":
            return PlainTextResponse("Approved") if key in self.open else PlainTextResponse("Forbidden", 403)
        (self.open.add if verb == "open" else self.open.discard)(key)
        return Response(status_code=202)

    async def _task(self, request: Request) -> Response:
        document = await _document(request)
        metadata = (document or {}).get("metadata")
        if not metadata:
            return PlainTextResponse("metadata not found in payload", 400)
        kind = metadata.get("type", "cmd")
        if kind not in {"cmd", *BLOCKING}:
            return PlainTextResponse(f"unknown task type {kind}", 400)
        if kind == "cmd" and "cmd" not in metadata:
            return PlainTextResponse("cmd not found in metadata", 400)
        command = parse(metadata.get("cmd", ""))
        if kind in BLOCKING:
            return await self._blocking(command)
        if command:
            self._start(command)
        return Response(status_code=202)

    async def _blocking(self, command: Command | None) -> Response:
        """A check by hand, such as curl: it passes when somebody answers at its URL."""
        if command is None:
            return PlainTextResponse("")
        parts = urlsplit(command.url)
        try:
            address = self._service(parts.hostname or "")
            ready = self.around.traffic and self.around.traffic.ready(*address)
            if not ready:
                raise NetworkError(f"no endpoints available for {parts.hostname}")
        except NetworkError as error:
            return PlainTextResponse(f"command failed: {error}", 500)
        return PlainTextResponse("")

    def _start(self, command: Command) -> None:
        traffic = self.around.traffic
        if traffic is None:
            return
        until = self.clock.now() + timedelta(seconds=self.clock.scaled(command.lasts))
        namespace, service = self._service(urlsplit(command.url).hostname or "")
        source = (self.namespace, self.name)
        if not traffic.loaded(namespace, service, source):  # a test that runs is not started a second time
            traffic.add_load(Load(namespace, service, command.rps, until, source, command.headers))

    def _service(self, host: str) -> tuple[str, str]:
        name, _, rest = host.partition(".")
        return rest.partition(".")[0] or self.namespace, name


def parse(command: str) -> Command | None:
    """What a hey, wrk or ghz command would send; None for a command without a URL."""
    found = _URL.search(command)
    if not found:
        return None
    words = shlex.split(command)
    given = dict(pairwise(words))
    workers = _number(given.get("-c") or given.get("--concurrency"), WORKERS)
    rate = _number(given.get("-q"), WORKER_RPS) * workers
    rate = _number(given.get("--rps") or given.get("-R"), rate)
    lasts = _seconds(given.get("-z") or given.get("-d") or given.get("--duration"))
    if "-n" in given and "-z" not in given:
        lasts = _number(given["-n"], 200) / rate
    return Command(found[0], rate, lasts, _headers(words))


def _headers(words: list[str]) -> dict[str, str]:
    """The headers that `-H "name: value"` adds, names in lower case."""
    given = (value.partition(":") for option, value in pairwise(words) if option in ("-H", "--header"))
    return {name.strip().lower(): value.strip() for name, _, value in given}


def _number(text: str | None, default: float) -> float:
    try:
        return float(text or "")
    except ValueError:
        return float(default)


def _seconds(text: str | None) -> float:
    try:
        return seconds(text or "")
    except ValueError:
        return LASTS


def _always(status: int, text: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return PlainTextResponse(text, status)

    return answer


async def _document(request: Request) -> Obj | None:
    try:
        found = json.loads(await request.body())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
