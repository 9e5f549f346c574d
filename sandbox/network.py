"""Names inside the cluster: what answers at http://service.namespace:port.

Nothing in the sandbox runs in a container, so a Service's traffic is served by an ASGI application (or by a loopback
URL) that a stand-in registers here. A backend answers only while its Service has a ready endpoint, as in a cluster:
the stand-ins never need to simulate their own outage.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

Asgi = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[MutableMapping[str, Any]], Awaitable[None]]],
    Awaitable[None],
]
Backend = Asgi | str
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME = re.compile(r"^(?P<service>[a-z0-9-]+)(?:\.(?P<namespace>[a-z0-9-]+))?(?:\.svc)?(?:\.cluster\.local)?\.?$")


class NetworkError(Exception):
    """Nothing answers there; the text says why in the words of a dial error."""


class Address(NamedTuple):
    namespace: str
    service: str
    port: int


class Facts(NamedTuple):
    """What the network must know of a Service: does it exist, its ports, and is an endpoint ready."""

    ports: tuple[tuple[str, int], ...]  # (name, port)
    ready: bool


Lookup = Callable[[str, str], Facts | None]


class Network:
    """In-cluster names. `lookup(namespace, service)` is wired to the store by the Cluster."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._lookup = lookup
        self._backends: dict[Address, Backend] = {}
        self._clients: dict[Address, httpx.AsyncClient] = {}

    def register(self, namespace: str, service: str, port: int, app: Backend) -> None:
        """Let `app` answer for this port of the Service (again: replaces)."""
        self.unregister(namespace, service, port)
        self._backends[Address(namespace, service, port)] = app

    def unregister(self, namespace: str, service: str, port: int | None = None) -> None:
        """Forget one port, or all ports of the Service; unknown ones are ignored."""
        for address in [a for a in self._backends if a[:2] == (namespace, service) and port in (None, a.port)]:
            del self._backends[address]
            self._clients.pop(address, None)

    async def request(
        self, method: str, url: str, *, namespace: str = "default", timeout: float = 10.0, **more: Any
    ) -> httpx.Response:
        """Send a request to an in-cluster or loopback URL and return the answer, read to its end.

        `namespace` is where the caller lives (for names without one); `more` goes to httpx (content, json, headers,
        params). Raises NetworkError where a client in the cluster would fail to connect or time out.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            if host in LOOPBACK:
                async with httpx.AsyncClient(verify=more.pop("verify", True), trust_env=False) as client:
                    return await client.request(method, url, timeout=timeout, **more)
            address = self.resolve(host, parts.port or (443 if parts.scheme == "https" else 80), namespace=namespace)
            more.pop("verify", None)
            return await self._client(address).request(method, url, timeout=timeout, **more)
        except httpx.HTTPError as error:
            raise NetworkError(f"{method} {url}: {error or type(error).__name__}") from error

    def resolve(self, host: str, port: int, *, namespace: str = "default") -> Address:
        """Return who answers at host:port. Raises NetworkError when nobody does."""
        match = _NAME.match(host)
        if not match:
            raise NetworkError(f"dial tcp: lookup {host}: no such host")
        service, namespace = match["service"], match["namespace"] or namespace
        facts = self._lookup(namespace, service) if self._lookup else None
        if self._lookup and facts is None:
            raise NetworkError(f"dial tcp: lookup {host}: no such host")
        if facts and port not in {number for _, number in facts.ports}:
            raise NetworkError(f"dial tcp {host}:{port}: i/o timeout")
        if facts and not facts.ready:
            raise NetworkError(f'no endpoints available for service "{service}"')
        address = Address(namespace, service, port)
        if address not in self._backends:
            raise NetworkError(f"dial tcp {host}:{port}: connect: connection refused")
        return address

    def _client(self, address: Address) -> httpx.AsyncClient:
        if address not in self._clients:
            backend = self._backends[address]
            if isinstance(backend, str):
                self._clients[address] = httpx.AsyncClient(transport=_Redirected(backend), trust_env=False)
            else:
                transport = httpx.ASGITransport(backend, raise_app_exceptions=False)
                self._clients[address] = httpx.AsyncClient(transport=transport)
        return self._clients[address]

    async def close(self) -> None:
        """Close the connections that are kept to loopback backends."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


class _Redirected(httpx.AsyncHTTPTransport):
    """Sends what is meant for an in-cluster name to a loopback URL."""

    def __init__(self, base: str) -> None:
        super().__init__(verify=False)
        self._base = httpx.URL(base)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme=self._base.scheme, host=self._base.host, port=self._base.port)
        return await super().handle_async_request(request)
