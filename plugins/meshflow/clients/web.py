"""What an HTTP answer means in our errors, for chart repositories and image registries.

URLs are printed without user, password and query: a signed download link is a secret.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import httpx

from meshflow.errors import Forbidden, MeshflowError, NotFound, Rejected, ServerBusy, Unauthorized, Unreachable, shorten


def bare(url: str | httpx.URL) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(str(url))
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def unreachable(error: httpx.TransportError, url: str | httpx.URL, *, way_out: str) -> Unreachable:
    """The error for no answer at all."""
    return Unreachable(f"{bare(url)} does not answer: {error or type(error).__name__}. {way_out}", target=bare(url))


def refusal(response: httpx.Response, *, what: str, way_out: str) -> MeshflowError:
    """The error for an answer that is not 2xx. `what` is what was asked for; `way_out` the next step."""
    status, place = response.status_code, bare(response.url)
    if status in (401, 403):
        error = Unauthorized if status == 401 else Forbidden
        return error(f"{place} refuses {what} ({status}). {way_out}")
    if status == 404:
        return NotFound(f"{place} does not have {what}. {way_out}")
    if status == 429 or status >= 500:
        wait = response.headers.get("retry-after", "")
        return ServerBusy(
            f"{place} cannot serve {what} now ({status})",
            status=status,
            retry_after=float(wait) if wait.isdigit() else None,
        )
    return Rejected(f"{place} refuses {what} ({status}): {shorten(response.text)}. {way_out}", status=status)
