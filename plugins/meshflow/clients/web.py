"""Chart repositories and image registries as HTTP servers: who asks them, and what an answer means in our errors.

URLs are printed without user, password and query: a signed download link is a secret. Proxies and certificate
authorities are those of the worker's environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from meshflow.errors import (
    Forbidden,
    InvalidInput,
    MeshflowError,
    NotFound,
    Rejected,
    ServerBusy,
    Unauthorized,
    Unreachable,
    Untrusted,
    shorten,
)

C = TypeVar("C", httpx.Client, httpx.AsyncClient)


@dataclass(frozen=True)
class Login:
    """Who asks a host. `connection` is the Airflow connection that the login is from, for sentences."""

    user: str
    password: str = field(repr=False)
    connection: str


Logins = Callable[[str], Login | None]
"""The login for a host (`host`, or `host:port` where the address has a port); None asks without one."""


def nobody(host: str) -> None:
    """No host has a login."""


def host(url: str | httpx.URL) -> str:
    """The host of a URL, with its port where it has one; Docker Hub's by the name that images have."""
    parts = urlsplit(str(url))
    if parts.hostname == "registry-1.docker.io":
        return "docker.io"
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def bare(url: str | httpx.URL) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(str(url))
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def made(make: Callable[[], C]) -> C:
    """The client that `make` makes; InvalidInput where the environment does not let it."""
    try:
        return make()
    except (OSError, ImportError, ValueError, httpx.InvalidURL) as error:
        raise InvalidInput(
            f"leads to no connection: {str(error).rstrip('.')}",
            where="environment of this worker",
            way_out="Correct SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY",
        ) from error


def unreachable(error: httpx.RequestError, url: str | httpx.URL, *, way_out: str) -> Unreachable | Untrusted:
    """The error for no answer at all, or none that HTTP knows: cut off, not unpackable, redirected in a circle.

    Untrusted for a certificate that is not accepted: waiting does not mend it.
    """
    silent = isinstance(error, httpx.TransportError)
    what = "does not answer" if silent else "does not answer in a way that can be read"
    problem = str(error).rstrip(".") or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in problem:
        way_out = "If the certificate is of your own authority, name that in SSL_CERT_FILE for all workers"
        return Untrusted(f"{bare(url)} {what}{_through(url)}: {problem}. {way_out}", target=bare(url))
    return Unreachable(f"{bare(url)} {what}{_through(url)}: {problem}. {way_out}", target=bare(url))


def _through(url: str | httpx.URL) -> str:
    parts = urlsplit(str(url))
    proxied = parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")
    return f" through the proxy of {parts.scheme.upper()}_PROXY" if proxied else ""


def mapping(response: httpx.Response, *, what: str, way_out: str) -> dict[str, Any]:
    """The answer as a map; Rejected for anything else, such as some proxy's page to sign in."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Rejected(f"{bare(response.url)} answers with something that is not {what}. {way_out}", status=502)
    return found


def refusal(response: httpx.Response, *, what: str, way_out: str, login: Login | None = None) -> MeshflowError:
    """The error for an answer that is not 2xx.

    `what` is what was asked for, `way_out` the next step; a refusal of `login`, or of nobody, has a way out of its own.
    """
    status, place = response.status_code, bare(response.url)
    if status in (401, 403):
        error = Unauthorized if status == 401 else Forbidden
        return error(f"{place} refuses {what} ({status}). {_way_in(response, login)}")
    if status == 404:
        return NotFound(f"{place} does not have {what}. {way_out}")
    if status == 429 or status >= 500:
        wait = response.headers.get("retry-after", "")
        return ServerBusy(
            f"{place} cannot serve {what} now ({status})",
            status=status,
            retry_after=float(wait) if wait.isdigit() else None,
        )
    said = f": {shorten(response.text)}" if response.text else ""
    return Rejected(f"{place} refuses {what} ({status}){said}. {way_out}", status=status)


def _way_in(response: httpx.Response, login: Login | None) -> str:
    asked = host(response.history[0].url if response.history else response.url)
    if asked != host(response.url):
        return f"{asked} sent us there, and no login goes along. Ask whoever runs {asked}"
    if login is None:
        return f"It was asked without a login. Name an Airflow connection for {asked} under logins in mesh.yaml, or \
check the name"
    return f"It was asked with the login of the Airflow connection {login.connection}. Correct that connection, give \
its user the right to read, or check the name"
