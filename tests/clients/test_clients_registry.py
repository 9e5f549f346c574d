"""From tag to digest."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from meshflow.clients import oci, registry, web
from meshflow.errors import Forbidden, InvalidInput, NotFound, ServerBusy, Unauthorized, Unreachable

DIGEST = "sha256:" + "a" * 64
TAGS = {"team/frontend": {"1.0.0": DIGEST, "1.1.0": "sha256:" + "b" * 64}}


class Registry:
    """A registry that hands out tokens. `login` None lets everybody have one."""

    def __init__(self, *, login: web.Login | None = None, digest_header: bool = True, head: bool = True) -> None:
        self.login, self.digest_header, self.head = login, digest_header, head
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if request.url.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != "Bearer good":
            challenge = 'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:x:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        _, _, rest = request.url.path.partition("/v2/")
        name, _, tail = rest.rpartition("/manifests/")
        if name:
            return self._manifest(request, name, tail)
        name = rest.removesuffix("/tags/list")
        return httpx.Response(200, json={"tags": list(TAGS[name])}) if name in TAGS else httpx.Response(404)

    def _token(self, request: httpx.Request) -> httpx.Response:
        assert request.url.params["scope"] == "repository:x:pull"
        if self.login and request.headers.get("authorization") != oci._basic(self.login):
            return httpx.Response(401)
        return httpx.Response(200, json={"token": "good"})

    def _manifest(self, request: httpx.Request, name: str, tag: str) -> httpx.Response:
        digest = TAGS.get(name, {}).get(tag) or (tag if tag in TAGS.get(name, {}).values() else None)
        if digest is None:
            return httpx.Response(404)
        if request.method == "HEAD" and not self.head:
            return httpx.Response(405)
        assert "image.index" in request.headers["accept"]
        headers = {"Docker-Content-Digest": digest} if self.digest_header else {}
        return httpx.Response(200, headers=headers, content=b"" if request.method == "HEAD" else b"{}")


async def resolve(image: str, handler: object, **more: object) -> registry.Image:
    return await registry.resolve(image, transport=httpx.MockTransport(handler), **more)  # type: ignore[arg-type]


async def test_a_tag_becomes_the_digest_of_now() -> None:
    image = await resolve("reg.example.com/team/frontend:1.0.0", Registry())
    assert image == registry.Image("reg.example.com/team/frontend", "1.0.0", DIGEST)
    assert image.pinned == f"reg.example.com/team/frontend@{DIGEST}"


async def test_a_digest_is_checked_to_exist() -> None:
    assert (await resolve(f"reg.example.com/team/frontend@{DIGEST}", Registry())).digest == DIGEST
    with pytest.raises(NotFound, match="has no image sha256:c"):
        await resolve("reg.example.com/team/frontend@sha256:" + "c" * 64, Registry())


async def test_a_registry_without_head_or_digest_header_is_asked_for_the_manifest() -> None:
    image = await resolve("reg.example.com/team/frontend:1.0.0", Registry(head=False, digest_header=False))
    assert image.digest == "sha256:" + hashlib.sha256(b"{}").hexdigest()


async def test_an_unknown_tag_names_the_tags_that_are_near() -> None:
    with pytest.raises(NotFound, match=r"team/frontend has no tag 1\.0\.1; it has 1\.0\.0, 1\.1\.0"):
        await resolve("reg.example.com/team/frontend:1.0.1", Registry())


async def test_an_unknown_repository_is_told_from_an_unknown_tag() -> None:
    with pytest.raises(NotFound, match=r"reg\.example\.com has no repository team/backend"):
        await resolve("reg.example.com/team/backend:1.0.0", Registry())


async def test_a_login_is_used_for_its_host_only() -> None:
    me = web.Login("me", "secret", "our_registry")
    closed = Registry(login=me)
    logins = {"reg.example.com": me}
    assert (await resolve("reg.example.com/team/frontend:1.0.0", closed, logins=logins.get)).digest == DIGEST
    with pytest.raises(Unauthorized, match=r"asked without a login\. Name an Airflow connection for reg\.example\.com"):
        await resolve("reg.example.com/team/frontend:1.0.0", closed, logins={"other.example.com": me}.get)


async def test_one_token_serves_all_requests_of_a_resolution() -> None:
    open_to_all = Registry()
    with pytest.raises(NotFound):
        await resolve("reg.example.com/team/frontend:9", open_to_all)
    assert open_to_all.asked.count("GET /token") == 1


@pytest.mark.parametrize(("status", "error"), [(403, Forbidden), (429, ServerBusy), (502, ServerBusy)])
async def test_refusals_of_the_registry_keep_their_meaning(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await resolve("reg.example.com/team/frontend:1", lambda request: httpx.Response(status))


async def test_no_answer_is_unreachable_and_names_the_registry() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("timed out", request=request)

    with pytest.raises(Unreachable, match=r"https://reg\.example\.com.*timed out"):
        await resolve("reg.example.com/team/frontend:1", refuse)


async def test_hosts_may_be_asked_elsewhere() -> None:
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})

    image = await resolve("ghcr.io/team/frontend:1", serve, registries=lambda host: "http://127.0.0.1:5000")
    assert asked == ["http://127.0.0.1:5000/v2/team/frontend/manifests/1"]
    assert image.repository == "ghcr.io/team/frontend"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://mirror.example.com", "/v2/team/frontend/manifests/1"),
        ("https://mirror.example.com/api/docker/ghcr/", "/api/docker/ghcr/v2/team/frontend/manifests/1"),
        ("https://mirror.example.com/v2/ghcr-proxy", "/v2/ghcr-proxy/team/frontend/manifests/1"),
    ],
)
async def test_a_mirror_may_have_a_path_before_or_behind_the_api(address: str, path: str) -> None:
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})

    await resolve("ghcr.io/team/frontend:1", serve, registries=lambda host: address)
    assert asked == [path]


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("bitnami/kafka:4", "docker.io/bitnami/kafka:4"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        (f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b:1@{DIGEST}"),
        (f"ghcr.io/a/b@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"),
    ],
)
def test_image_names_are_completed_as_docker_does(image: str, full: str) -> None:
    assert str(oci.parse(image)) == full


@pytest.mark.parametrize(
    "image",
    [
        "",
        "UPPER/case",
        "a b",
        "ghcr.io/a/b:tag:tag",
        "ghcr.io/a@sha256:12",
        "ghcr.io/a:-x",
        "a..b/c/d:1",
        "ghcr.io./a:1",
    ],
)
def test_what_is_no_image_name_is_refused(image: str) -> None:
    with pytest.raises(InvalidInput, match="not an image name"):
        oci.parse(image)
