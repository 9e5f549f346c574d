"""How a web service is reached: through the API server's proxy, or at a URL of its own.

Both ways answer the same questions, so that the clients of Prometheus, Grafana and Kiali do not know which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from meshflow.clients import transport
from meshflow.clients.kube import Kube, Response
from meshflow.errors import Forbidden, MeshflowError, NotFound, Rejected, ServerBusy, Unauthorized, Unreachable, shorten

SECONDS = 20.0


@dataclass(frozen=True)
class Question:
    """One request. `path` is relative to the service."""

    path: str
    params: Mapping[str, str] | None = None
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Door(Protocol):
    """A way to a web service. `name` says in messages what is behind it."""

    name: str

    async def ask(self, question: Question) -> Response:
        """The answer, whatever its status; Unreachable when there is none."""
        ...


class ProxyDoor:
    """A service in the cluster, through the API server: a kubeconfig is all that is needed."""

    def __init__(
        self, kube: Kube, *, name: str, namespace: str, service: str, port: int | str, scheme: str = "http"
    ) -> None:
        self.name = f"{name} ({service}.{namespace}:{port})"
        self._kube, self._namespace, self._service, self._port, self._scheme = kube, namespace, service, port, scheme

    async def ask(self, question: Question) -> Response:
        return await self._kube.proxy(
            self._namespace,
            self._service,
            self._port,
            question.path,
            params=question.params,
            method=question.method,
            scheme=self._scheme,
            headers=question.headers,
            body=question.body,
        )


class DirectDoor:
    """A service at a URL."""

    def __init__(self, url: str, *, name: str) -> None:
        self.name = f"{name} ({httpx.URL(url).copy_with(userinfo=b'')})"
        self._url = url.rstrip("/")

    async def ask(self, question: Question) -> Response:
        try:
            async with httpx.AsyncClient(timeout=SECONDS) as client:
                answer = await client.request(
                    question.method,
                    f"{self._url}/{question.path.lstrip('/')}",
                    params=question.params,
                    headers=dict(question.headers),
                    content=question.body,
                )
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"{self.name} does not answer: {reason}. Check the URL in mesh.yaml and the network", target=self.name
            ) from error
        return Response(answer.status_code, transport.header_map(answer.headers.multi_items()), answer.content)


async def json_of(door: Door, path: str, *, params: Mapping[str, str] | None = None) -> Any:
    """The JSON behind a path; the mapped error for any other answer."""
    response = await door.ask(Question(path, params))
    if response.status >= 300:
        raise refusal(door, path, response)
    try:
        return response.json()
    except ValueError as error:
        raise Rejected(f"{door.name}: the answer to {path} is no JSON", status=response.status) from error


def refusal(door: Door, path: str, response: Response) -> MeshflowError:
    """What an answer that is not 2xx means."""
    said = shorten(response.body.decode("utf-8", "replace"))
    told = f"{door.name}: {path} answered HTTP {response.status}: {said}"
    match response.status:
        case 401:
            return Unauthorized(f"{told}. Check the credentials in its connection or Secret")
        case 403:
            return Forbidden(told)
        case 404:
            return NotFound(told)
        case status if status == 429 or status >= 500:
            return ServerBusy(told, status=status)
        case status:
            return Rejected(told, status=status)
