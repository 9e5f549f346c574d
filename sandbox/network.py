"""Names inside the cluster: what answers at http://service.namespace:port.

Nothing in the sandbox runs in a container, so a Service's traffic is served by an ASGI application (or by a loopback
URL) that a stand-in registers here. A backend answers only while its Service has a ready endpoint, as in a cluster:
the stand-ins never need to simulate their own outage.
"""

import re
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import httpx

Asgi = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[MutableMapping[str, Any]], Awaitable[None]]],
    Awaitable[None],
]
Backend = Asgi | str
Trust = ssl.SSLContext | bool
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
        self._apps: dict[Address, httpx.AsyncClient] = {}
        self._loopback: dict[Trust, httpx.AsyncClient] = {}

    def register(self, namespace: str, service: str, port: int, app: Backend) -> None:
        """Let `app` answer for this port of the Service (again: replaces)."""
        self.unregister(namespace, service, port)
        self._backends[Address(namespace, service, port)] = app

    def unregister(self, namespace: str, service: str, port: int | None = None) -> None:
        """Forget one port, or all ports of the Service; unknown ones are ignored."""
        for address in [a for a in self._backends if a[:2] == (namespace, service) and port in (None, a.port)]:
            del self._backends[address]
            self._apps.pop(address, None)

    async def request(
        self,
        method: str,
        url: str,
        *,
        namespace: str = "default",
        timeout: float = 10.0,
        verify: Trust = False,
        **more: Any,
    ) -> httpx.Response:
        """Send a request to an in-cluster or loopback URL and return the answer, read to its end.

        `namespace` is where the caller lives (for names without one); `verify` is the TLS trust for backends that have
        TLS of their own; `more` goes to httpx (content, json, headers, params). Raises NetworkError where a client in
        the cluster would fail to connect or time out.
        """
        target = httpx.URL(url)
        try:
            if target.host in LOOPBACK:
                return await self._trusting(verify).request(method, target, timeout=timeout, **more)
            port = target.port or (443 if target.scheme == "https" else 80)
            address = self.resolve(target.host, port, namespace=namespace)
            backend = self._backends[address]
            if not isinstance(backend, str):
                return await self._app(address, backend).request(method, target, timeout=timeout, **more)
            base = httpx.URL(backend)
            moved = target.copy_with(scheme=base.scheme, host=base.host, port=base.port)
            headers = {"host": target.netloc.decode(), **dict(more.pop("headers", None) or {})}
            names = {"sni_hostname": target.host}
            return await self._trusting(verify).request(
                method, moved, timeout=timeout, headers=headers, extensions=names, **more
            )
        except httpx.TimeoutException as error:
            raise NetworkError("context deadline exceeded") from error
        except httpx.HTTPError as error:
            raise NetworkError(_worded(target, error)) from error

    def resolve(self, host: str, port: int, *, namespace: str = "default") -> Address:
        """Return who answers at host:port. Raises NetworkError when nobody does."""
        match = _NAME.match(host)
        if not match:
            raise NetworkError(f"dial tcp: lookup {host}: no such host")
        service, namespace = match["service"], match["namespace"] or namespace
        facts = self._lookup(namespace, service) if self._lookup else None
        if self._lookup and facts is None:
            raise NetworkError(f'service "{service}" not found')
        if facts and port not in {number for _, number in facts.ports}:
            raise NetworkError(f"dial tcp {host}:{port}: i/o timeout")
        if facts and not facts.ready:
            raise NetworkError(f'no endpoints available for service "{service}"')
        address = Address(namespace, service, port)
        if address not in self._backends:
            raise NetworkError(f"dial tcp {host}:{port}: connect: connection refused")
        return address

    async def close(self) -> None:
        """Close the connections that are kept open."""
        for client in (*self._apps.values(), *self._loopback.values()):
            await client.aclose()
        self._apps.clear()
        self._loopback.clear()

    def _app(self, address: Address, app: Asgi) -> httpx.AsyncClient:
        if address not in self._apps:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            self._apps[address] = httpx.AsyncClient(transport=transport)
        return self._apps[address]

    def _trusting(self, trust: Trust) -> httpx.AsyncClient:
        if trust not in self._loopback:
            self._loopback[trust] = httpx.AsyncClient(verify=trust, trust_env=False)
        return self._loopback[trust]


def _worded(target: httpx.URL, error: httpx.HTTPError) -> str:
    """Return the failure as a Go client words it."""
    text = str(error)
    if "certificate verify failed" in text.lower():
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if isinstance(error, httpx.ConnectError):
        return f"dial tcp {target.host}:{target.port}: connect: connection refused"
    return text or type(error).__name__
