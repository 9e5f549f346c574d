"""Names inside the cluster, and the service proxy in front of them."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sandbox.certificates import Authority
from sandbox.network import Facts, Network, NetworkError
from sandbox.serving import Listener


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.url.path}?{request.url.query}", 418)


ECHO = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])


def network(**services: Facts) -> Network:
    made = Network(lambda namespace, service: services.get(service) if namespace == "shop" else None)
    made.register("shop", "web", 80, ECHO)
    return made


@pytest.mark.parametrize("host", ["web.shop", "web.shop.svc", "web.shop.svc.cluster.local"])
async def test_a_service_answers_under_its_names(host: str) -> None:
    names = network(web=Facts((("http", 80),), ready=True))
    assert (await names.request("GET", f"http://{host}/x?y=1")).text == "GET /x?y=1"


@pytest.mark.parametrize(
    ("url", "facts", "says"),
    [
        ("http://web.shop", Facts((("http", 80),), ready=False), "no endpoints available"),
        ("http://web.shop:81", Facts((("http", 80),), ready=True), "i/o timeout"),
        ("http://other.shop", Facts((), ready=True), "not found"),
        ("http://example.com.au.nope.invalid", Facts((), ready=True), "no such host"),
    ],
)
async def test_what_nobody_answers_fails_as_a_dial_would(url: str, facts: Facts, says: str) -> None:
    with pytest.raises(NetworkError, match=says):
        await network(web=facts).request("GET", url)


async def test_a_backend_with_tls_of_its_own_is_known_by_its_name_in_the_cluster() -> None:
    authority = Authority("test")
    listener = Listener(ECHO, certificate=authority.issue("hook.shop.svc"))
    await listener.start()
    names = Network()
    names.register("shop", "hook", 443, listener.url)
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    stranger = ssl.create_default_context(cadata=Authority("other").pem.decode())
    try:
        assert (await names.request("POST", "https://hook.shop.svc/x", verify=trust)).status_code == 418
        with pytest.raises(NetworkError, match="x509"):
            await names.request("POST", "https://hook.shop.svc/x", verify=stranger)
    finally:
        await names.close()
        await listener.stop()


@pytest.mark.parametrize("name", ["web:80", "web:http", "http:web:http", "web"])
async def test_the_proxy_passes_path_query_and_status(api: Any, name: str) -> None:
    spec = {"ports": [{"name": "http", "port": 80}]}
    await api.ask("POST", "/api/v1/namespaces/shop/services", {"metadata": {"name": "web"}, "spec": spec}, code=201)
    api.network.register("shop", "web", 80, ECHO)
    answer = await api.http.post(f"/api/v1/namespaces/shop/services/{name}/proxy/a/b?c=d", content=b"x")
    assert (answer.status_code, answer.text) == (418, "POST /a/b?c=d")


async def test_the_proxy_says_when_nobody_is_there(api: Any) -> None:
    answer = await api.ask("GET", "/api/v1/namespaces/shop/services/web:80/proxy/", code=404)
    assert answer["message"] == 'services "web" not found'
    spec = {"ports": [{"name": "http", "port": 80}]}
    await api.ask("POST", "/api/v1/namespaces/shop/services", {"metadata": {"name": "web"}, "spec": spec}, code=201)
    answer = await api.ask("GET", "/api/v1/namespaces/shop/services/web:80/proxy/", code=503)
    assert answer["reason"] == "ServiceUnavailable"
