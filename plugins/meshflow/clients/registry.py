"""From an image's tag to its digest, by the OCI distribution API."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import httpx

from meshflow.clients import oci, web
from meshflow.errors import MeshflowError, NotFound, Rejected

SECONDS = 20.0
TAGS_SHOWN = 5
WAY_OUT = "Check registries in mesh.yaml"


class Image(NamedTuple):
    """An image that exists."""

    repository: str  # with host
    tag: str | None  # None when a digest was asked for
    digest: str

    @property
    def pinned(self) -> str:
        """`repository@digest`: what a workload is set to."""
        return f"{self.repository}@{self.digest}"


def default_address(host: str) -> str:
    """Where a registry host is asked when nothing else is said."""
    return "https://registry-1.docker.io" if host == "docker.io" else f"https://{host}"


async def resolve(
    image: str,
    *,
    registries: Callable[[str], str] = default_address,
    logins: web.Logins = web.nobody,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Image:
    """The digest of an image as it is now: of the index where it is made for several platforms.

    `registries` gives the address of a host (`Mesh.registry`); `logins` the login for the host of that address. Raises
    InvalidInput for what is no image name, NotFound for an unknown repository, tag or digest (with the nearest tags),
    Unauthorized, Forbidden, ServerBusy or Unreachable for the rest.
    """
    name = oci.parse(image)
    address = registries(name.host)
    login = logins(web.host(address))
    client = web.made(
        lambda: httpx.AsyncClient(
            base_url=_root(address),
            auth=oci.TokenAuth(login),
            timeout=SECONDS,
            follow_redirects=True,
            transport=transport,
        )
    )
    async with client:
        try:
            return Image(name.repository, name.tag if not name.digest else None, await _digest(client, name, login))
        except httpx.RequestError as error:
            raise web.unreachable(
                error, address, way_out=f"Check the network and the address of the registry {name.host}"
            ) from error
        except httpx.InvalidURL as error:
            raise Rejected(f"the registry {name.host} sent an address that is none: {error}", status=502) from error


def _root(address: str) -> str:
    """Where the API begins. An address that has `/v2` names it itself: mirrors put a project of theirs behind it."""
    return address if "/v2/" in f"{address}/" else f"{address.rstrip('/')}/v2"


async def _digest(client: httpx.AsyncClient, name: oci.ImageName, login: web.Login | None) -> str:
    path = f"/{name.path}/manifests/{name.digest or name.tag}"
    accept = {"Accept": oci.MANIFESTS}
    response = await client.head(path, headers=accept)
    digest = response.headers.get("docker-content-digest", "")
    if response.is_success and oci.DIGEST.fullmatch(digest):
        return str(digest)
    # A HEAD has no body to explain itself, and some registries do not serve it.
    response = await client.get(path, headers=accept)
    if response.status_code == 404:
        raise await _unknown(client, name)
    if not response.is_success:
        raise web.refusal(response, what=str(name), way_out="Check the image's name", login=login)
    web.mapping(response, what="a manifest", way_out=WAY_OUT)
    return f"sha256:{hashlib.sha256(response.content).hexdigest()}"


async def _unknown(client: httpx.AsyncClient, name: oci.ImageName) -> MeshflowError:
    """The error for a missing manifest: is it the repository or the tag that does not exist?"""
    response = await client.get(f"/{name.path}/tags/list", params={"n": "1000"})
    if response.status_code == 404:
        return NotFound(f"the registry {name.host} has no repository {name.path}. Check the image's name")
    if not response.is_success:
        return NotFound(f"the registry {name.host} does not have {name}. Push it first, or check the tag")
    if name.digest:
        return NotFound(f"{name.repository} has no image {name.digest}. Push it first, or check the digest")
    tags = web.mapping(response, what="a list of tags", way_out=WAY_OUT).get("tags")
    tags = [str(tag) for tag in tags] if isinstance(tags, list) else []
    near = difflib.get_close_matches(name.tag or "", tags, n=TAGS_SHOWN, cutoff=0.3) or tags[-TAGS_SHOWN:]
    known = f"it has {', '.join(near)}" if near else "it has no tags"
    return NotFound(f"{name.repository} has no tag {name.tag}; {known}. Push it first, or check the tag")
