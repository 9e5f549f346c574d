"""What image registries and OCI chart repositories have in common: names and tokens.

A registry answers the first request with 401 and a challenge that says where to get a token and for what; the token
goes with the second one. Anonymous pulls need a token too. `TokenAuth` does this inside httpx, so that the same code
serves async and plain clients.

A login goes to the host that it is for and to the token service that this host names, over HTTPS if the host itself is
asked so; never along with a redirect.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import NamedTuple

import httpx

from meshflow.clients import web
from meshflow.clients.web import Login
from meshflow.errors import InvalidInput

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""The Accept header: indexes first, since the digest of a multi-platform image is that of its index."""

_HOST = re.compile(r"(?:[A-Za-z0-9]+(?:(?:\.|-+)[A-Za-z0-9]+)*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_PATH = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BEARER = re.compile(r"(?:^|,)\s*bearer\s+(.*)", re.IGNORECASE)
_BASIC = re.compile(r"(?:^|,)\s*basic\b", re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class ImageName(NamedTuple):
    """An image as written, with Docker's defaults filled in."""

    host: str
    path: str
    tag: str | None
    digest: str | None

    @property
    def repository(self) -> str:
        """`host/path`, without tag and digest."""
        return f"{self.host}/{self.path}"

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(image: str) -> ImageName:
    """The parts of `host/path:tag@sha256:…`; docker.io and `library/` are filled in as Docker does, and `latest` where
    neither tag nor digest is given. Raises InvalidInput for anything else."""
    rest, _, digest = image.partition("@")
    head, slash, tail = rest.partition("/")
    if not slash or not (re.search(r"[.:]", head) or head == "localhost"):
        head, tail = "docker.io", rest
    path, _, tag = tail.partition(":")
    if head in ("docker.io", "index.docker.io"):
        head, path = "docker.io", path if "/" in path else f"library/{path}"
    legal = _HOST.fullmatch(head) and _PATH.fullmatch(path)
    if not legal or (tag and not _TAG.fullmatch(tag)) or (digest and not DIGEST.fullmatch(digest)):
        raise InvalidInput(
            "not an image name",
            where="image",
            value=image,
            way_out="Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…",
        )
    return ImageName(head, path, tag or (None if digest else "latest"), digest or None)


class TokenAuth(httpx.Auth):
    """Answers a registry's challenge. `login` None asks for an anonymous token.

    Raises the error of the token service if it is busy; whatever else it refuses ends as the registry's own 401.
    """

    requires_response_body = True

    def __init__(self, login: Login | None = None) -> None:
        self._login = login
        self._header: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._header:
            request.headers["Authorization"] = self._header
        response = yield request
        if response.status_code != 401 or response.url.host != request.url.host:
            return
        challenge = response.headers.get("www-authenticate", "")
        if bearer := _BEARER.search(challenge):
            parameters = dict(reversed(_PARAMETER.findall(bearer[1])))  # those of a challenge that follows do not count
            answer = yield self._token_request(parameters, request.url)
            self._header = _bearer(answer)
        elif self._login and _BASIC.search(challenge):
            self._header = _basic(self._login)
        else:
            return
        if self._header:
            request.headers["Authorization"] = self._header
        yield request  # without a token too: what comes last is taken for the answer, and the token service's is none

    def _token_request(self, challenge: Mapping[str, str], asked: httpx.URL) -> httpx.Request:
        params = {key: challenge[key] for key in ("service", "scope") if challenge.get(key)}
        realm = asked.join(challenge.get("realm", ""))
        safe = realm.scheme == "https" or asked.scheme == "http"
        headers = {"Authorization": _basic(self._login)} if self._login and safe else {}
        return httpx.Request("GET", realm, params=params, headers=headers)


def _bearer(answer: httpx.Response) -> str | None:
    if answer.status_code == 429 or answer.status_code >= 500:
        raise web.refusal(answer, what="a token", way_out="")
    try:
        body = answer.json() if answer.is_success else {}
    except ValueError:
        return None
    token = (body.get("token") or body.get("access_token")) if isinstance(body, dict) else None
    return f"Bearer {token}" if token else None


def _basic(login: Login) -> str:
    request = httpx.Request("GET", "http://unused")
    return str(next(httpx.BasicAuth(login.user, login.password).auth_flow(request)).headers["Authorization"])
