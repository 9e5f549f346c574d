"""One request to an API server: sent, counted, repeated where repeating can help, its error mapped.

Repeated are 429 and connection refusals (nothing was done), and for idempotent verbs also 5xx, resets and timeouts. The
wait doubles from half a second with jitter, or is what `Retry-After` says.

kubernetes_asyncio's ApiClient signs the request and keeps the connections; its typed models are not used. Every call
passes its own timeout, since Airflow's subclass of ApiClient otherwise ends each request, watches too, after 60 s.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from meshflow.clients import certificates, statuses
from meshflow.errors import MeshflowError, Temporary, Unreachable

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
LONGEST_WAIT = 30.0
ATTEMPTS = 5
WEBHOOK_ATTEMPTS = 2

_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True)
class Request:
    """What to send. `body` is JSON-ready data, or bytes with a content type that is not JSON."""

    method: str
    path: str
    subject: statuses.Subject
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    idempotent: bool = True
    seconds: float = ANSWER_SECONDS


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """The server's wish in seconds; None without one (a date is taken as none)."""
        try:
            return max(0.0, float(self.headers.get("retry-after", "")))
        except ValueError:
            return None

    @property
    def warnings(self) -> list[str]:
        """The texts of the `Warning` headers."""
        return [_ESCAPED.sub(r"\1", text) for text in _WARNING.findall(self.headers.get("warning", ""))]


class Transport:
    """Requests to one cluster. `requests` counts those sent, repetitions included, by verb."""

    def __init__(
        self,
        api_client: Any,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._api = api_client
        self._sleep = sleep
        self._jitter = jitter
        self.requests: Counter[str] = Counter()
        self._told: set[str] = set()

    @property
    def host(self) -> str:
        """The server's URL without credentials."""
        return str(self._api.configuration.host)

    async def send(self, request: Request, *, accept: tuple[int, ...] = ()) -> Answer:
        """The answer, when it is 2xx or its status is in `accept`; otherwise the mapped error."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send_once(request, accept)
            except Temporary as error:
                if attempt >= _patience(error) or not _may_repeat(request, error):
                    raise
                await self._pause(attempt, error)
        raise AssertionError("the loop either returns or raises")

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's lines as they come; errors before the first one are mapped, nothing is repeated."""
        response = await self._open(
            request, aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=request.seconds)
        )
        try:
            if response.status >= 300:
                raise _error(request, await _read(request, response))
            yield _lines(request, response)
        finally:
            response.close()

    async def _send_once(self, request: Request, accept: tuple[int, ...]) -> Answer:
        timeout = aiohttp.ClientTimeout(total=request.seconds, sock_connect=CONNECT_SECONDS)
        response = await self._open(request, timeout)
        try:
            answer = await _read(request, response)
        finally:
            response.release()
        self._tell_warnings(request, answer)
        if 200 <= answer.status < 300 or answer.status in accept:
            return answer
        raise _error(request, answer)

    def _tell_warnings(self, request: Request, answer: Answer) -> None:
        """Log what the server, or a webhook of it, holds against an object and accepts all the same; each word once."""
        if request.method == "GET" or request.subject.verb == "proxy":
            return
        for text in answer.warnings:
            told = f"{request.subject.cluster} warns about {request.subject.what}: {text}"
            if told not in self._told:
                self._told.add(told)
                log.warning("%s", told)

    async def _open(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        self.requests[request.subject.verb] += 1
        try:
            response: aiohttp.ClientResponse = await self._api.call_api(
                request.path,
                request.method,
                query_params=list(request.params),
                header_params={"Accept": "application/json", **request.headers},
                body=request.body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeout,
            )
        except _NETWORK_ERRORS as error:
            trusted = self._api.configuration.ssl_ca_cert
            untrusted = certificates.untrusted(error, cluster=request.subject.cluster, host=self.host, trusted=trusted)
            raise untrusted or _unreachable(request, error) from error
        except RuntimeError as error:
            if "closed" not in str(error):  # aiohttp's word for a client that somebody closed meanwhile
                raise
            raise _unreachable(request, error) from error
        return response

    async def _pause(self, attempt: int, error: Temporary) -> None:
        seconds = 0.5 * 2 ** (attempt - 1) * (0.5 + self._jitter())
        if error.retry_after is not None:
            seconds = error.retry_after + 0.1 * self._jitter()
        seconds = min(seconds, LONGEST_WAIT)
        log.warning("%s; attempt %d of %d failed, next in %.1f s", error, attempt, _patience(error), seconds)
        await self._sleep(seconds)


def _patience(error: Temporary) -> int:
    """How many attempts are made. An admission webhook that does not answer may use up its whole timeout each time."""
    return WEBHOOK_ATTEMPTS if "failed calling webhook" in str(error) else ATTEMPTS


def _may_repeat(request: Request, error: Temporary) -> bool:
    if isinstance(error, statuses.Expired):
        return False
    not_done = isinstance(error.__cause__, aiohttp.ClientConnectorError) or getattr(error, "status", None) == 429
    return not_done or (request.idempotent and getattr(error, "status", None) != 403)


async def _read(request: Request, response: aiohttp.ClientResponse) -> Answer:
    try:
        body = await response.read()
    except _NETWORK_ERRORS as error:
        raise _unreachable(request, error) from error
    return Answer(response.status, header_map(response.headers.items()), body)


async def _lines(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Split by ourselves: aiohttp's readline refuses lines longer than its buffer, and one object may be 1.5 MiB."""
    rest = b""
    try:
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line
    except _NETWORK_ERRORS as error:
        raise _unreachable(request, error) from error


def _error(request: Request, answer: Answer) -> MeshflowError:
    return statuses.error_of(answer.status, answer.body, request.subject, retry_after=answer.retry_after)


def _unreachable(request: Request, error: BaseException) -> Unreachable:
    subject = request.subject
    reason = str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        reason, step = "no answer in time", "Check the server's load and the network between here and it"
    else:
        step = "Check the server's address in the connection, that it runs, and that a firewall lets us through"
    return Unreachable(
        f"{subject.cluster}: no connection to {subject.host} to {subject}: {reason}. {step}", target=subject.host
    )


def header_map(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name. One that came several times, as cookies do, has its values on lines of their own."""
    headers: dict[str, str] = {}
    for name, value in items:
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}\n{value}"
    return headers
