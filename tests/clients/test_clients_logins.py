"""Private registries and chart repositories: who asks them, with which login, and who never learns of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import httpx
import pytest

from meshflow import declared
from meshflow.clients import charts, registry, web
from meshflow.errors import MeshflowError, NotFound, ServerBusy, Unauthorized
from sandbox.charts.repository import Repository
from sandbox.clock import Clock
from sandbox.registry import Registry
from tests.clients.guarded import PASSWORD, TOKEN, USER, Guarded, served

IMAGE = "ghcr.io/stefanprodan/podinfo:6.14.1"
PIN = charts.Pin("flagger", "flagger", "1.44.0")
LOGIN = web.Login(USER, PASSWORD, "our_registry")
Scheme = Literal["basic", "bearer"]
SCHEMES: list[Scheme] = ["basic", "bearer"]


def everybody(host: str) -> web.Login:
    return LOGIN


def never_told(text: str) -> bool:
    return PASSWORD not in text and TOKEN not in text and "Basic " not in text


def store(
    tmp_path: Path, url: str, *, logins: web.Logins, transport: httpx.BaseTransport | None = None
) -> charts.ChartStore:
    settings = declared.Charts.model_validate(
        {"repositories": {"flagger": url}, "lock": tmp_path / "charts.lock", "cache": tmp_path / "cache"}
    )
    return charts.ChartStore(settings, logins=logins, transport=transport)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_private_registry_is_asked_with_the_login(scheme: Scheme, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with served(Guarded(Registry(Clock()).app, scheme)) as url:
        hosts: list[str] = []
        found = await registry.resolve(
            IMAGE, registries=lambda host: url, logins=lambda host: hosts.append(host) or LOGIN
        )
    assert found.digest.startswith("sha256:")
    assert hosts == [web.host(url)]  # of the address that is asked, not of the image
    assert never_told(caplog.text)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_without_a_login_the_refusal_says_where_to_name_one(scheme: Scheme) -> None:
    with served(Guarded(Registry(Clock()).app, scheme)) as url, pytest.raises(Unauthorized) as refused:
        await registry.resolve(IMAGE, registries=lambda host: url)
    assert str(refused.value) == (
        f"{url}/v2/stefanprodan/podinfo/manifests/6.14.1 refuses {IMAGE} (401). It was asked without a login. Name an "
        f"Airflow connection for {web.host(url)} under logins in mesh.yaml, or check the name"
    )


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_wrong_login_is_refused_with_the_name_of_its_connection(scheme: Scheme) -> None:
    wrong = web.Login(USER, "not it", "our_registry")
    with served(Guarded(Registry(Clock()).app, scheme)) as url, pytest.raises(Unauthorized) as refused:
        await registry.resolve(IMAGE, registries=lambda host: url, logins=lambda host: wrong)
    assert "It was asked with the login of the Airflow connection our_registry. Correct that" in str(refused.value)
    assert "not it" not in str(refused.value)


def test_a_login_does_not_print_its_password() -> None:
    assert PASSWORD not in f"{LOGIN} {LOGIN!r}"


async def test_a_login_goes_to_no_token_service_that_does_not_encrypt() -> None:
    told: list[str | None] = []

    def serve(request: httpx.Request) -> httpx.Response:
        told.append(request.headers.get("authorization"))
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://auth.example.com/token"'})

    with pytest.raises(Unauthorized):
        await registry.resolve("reg.example.com/a/b:1", logins=everybody, transport=httpx.MockTransport(serve))
    assert told
    assert not any(told)


async def test_a_login_follows_no_redirect() -> None:
    told: dict[str, set[str | None]] = {}

    def serve(request: httpx.Request) -> httpx.Response:
        told.setdefault(request.url.host, set()).add(request.headers.get("authorization"))
        if request.url.host == "reg.example.com" and "authorization" not in request.headers:
            return httpx.Response(401, headers={"WWW-Authenticate": "Basic"})
        if request.url.host == "reg.example.com":
            return httpx.Response(307, headers={"Location": f"https://cdn.example.com{request.url.path}?signature=s"})
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="https://cdn.example.com/token"'})

    with pytest.raises(Unauthorized, match=r"reg\.example\.com sent us there, and no login goes along") as refused:
        await registry.resolve("reg.example.com/a/b:1", logins=everybody, transport=httpx.MockTransport(serve))
    assert told["cdn.example.com"] == {None}
    assert "signature" not in str(refused.value)


async def test_of_two_challenges_the_token_s_is_answered() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": TOKEN})
        if request.headers.get("authorization") == f"Bearer {TOKEN}":
            return httpx.Response(200, headers={"Docker-Content-Digest": "sha256:" + "a" * 64})
        challenges = 'Basic realm="x", Bearer realm="https://reg.example.com/token",service="s", Basic realm="y"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenges})

    found = await registry.resolve("reg.example.com/a/b:1", logins=everybody, transport=httpx.MockTransport(serve))
    assert found.digest == "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), ServerBusy),
        (httpx.Response(429, headers={"Retry-After": "7"}), ServerBusy),
        (httpx.Response(200, text="<html>sign in</html>"), Unauthorized),
        (httpx.Response(200, json=["token"]), Unauthorized),
        (httpx.Response(403), Unauthorized),
    ],
    ids=["down", "busy", "a page", "a list", "forbidden"],
)
async def test_a_token_service_in_trouble_is_no_traceback(answer: httpx.Response, error: type[MeshflowError]) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        realm = 'Bearer realm="https://auth.example.com/token"'
        return answer if request.url.path == "/token" else httpx.Response(401, headers={"WWW-Authenticate": realm})

    with pytest.raises(error):
        await registry.resolve("reg.example.com/a/b:1", logins=everybody, transport=httpx.MockTransport(serve))


def test_a_private_chart_repository_is_asked_with_the_login(tmp_path: Path) -> None:
    with served(Guarded(Repository().app, "basic")) as url:
        store(tmp_path, f"{url}/flagger", logins=everybody).lock([PIN])
        with pytest.raises(
            Unauthorized, match=r"asked without a login\. Name an Airflow connection for 127\.0\.0\.1:\d+"
        ):
            store(tmp_path, f"{url}/flagger", logins=web.nobody).lock([PIN])
    assert PASSWORD not in (tmp_path / "charts.lock").read_text()


def test_each_host_gets_its_own_login_and_no_other(tmp_path: Path) -> None:
    """The index may send us to archives on another host, or to a registry."""
    told: list[tuple[str, str | None]] = []
    index = "entries: {flagger: [{version: 1.44.0, urls: ['https://files.example.com/flagger.tgz']}]}"

    def serve(request: httpx.Request) -> httpx.Response:
        told.append((request.url.host, request.headers.get("authorization")))
        return httpx.Response(200, text=index if request.url.path.endswith("index.yaml") else "an archive")

    logins = {"charts.example.com": LOGIN}
    private = store(tmp_path, "https://charts.example.com", logins=logins.get, transport=httpx.MockTransport(serve))
    private.lock([PIN])
    assert [(host, who is not None) for host, who in told] == [
        ("charts.example.com", True),
        ("files.example.com", False),
    ]


def test_a_chart_in_a_private_registry_is_pulled_with_a_token(tmp_path: Path) -> None:
    layer = {"mediaType": charts.LAYER, "digest": "sha256:" + "a" * 64}
    tokens: list[str | None] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            tokens.append(request.headers.get("authorization"))
            return httpx.Response(200, json={"token": TOKEN})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            realm = 'Bearer realm="https://reg.example.com/token",service="s"'
            return httpx.Response(401, headers={"WWW-Authenticate": realm})
        return httpx.Response(200, json={"layers": [layer]})

    oci = store(tmp_path, "oci://reg.example.com/charts", logins=everybody, transport=httpx.MockTransport(serve))
    oci.lock([PIN])
    assert len(tokens) == 1  # one serves manifest and archive
    assert tokens[0]


@pytest.mark.parametrize("answer", ["<html>sign in</html>", "[]"], ids=["a page", "a list"])
async def test_a_page_in_place_of_a_manifest_is_no_image(answer: str) -> None:
    with pytest.raises(MeshflowError, match=r"something that is not a manifest\. Check registries in mesh\.yaml"):
        await registry.resolve(
            "reg.example.com/a/b:1", transport=httpx.MockTransport(lambda request: httpx.Response(200, text=answer))
        )


async def test_a_digest_that_is_none_is_not_believed() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Docker-Content-Digest": "latest"}, json={"schemaVersion": 2})

    found = await registry.resolve("reg.example.com/a/b:1", transport=httpx.MockTransport(serve))
    assert found.digest.startswith("sha256:")


async def test_a_page_in_place_of_the_tags_is_no_traceback() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>") if request.url.path.endswith("list") else httpx.Response(404)

    with pytest.raises(MeshflowError, match="something that is not a list of tags"):
        await registry.resolve("reg.example.com/a/b:1", transport=httpx.MockTransport(serve))
    with pytest.raises(NotFound, match="has no image sha256"):
        await registry.resolve(f"reg.example.com/a/b@sha256:{'a' * 64}", transport=httpx.MockTransport(serve))
