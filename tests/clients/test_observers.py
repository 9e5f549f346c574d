"""Prometheus, Grafana and Kiali: what their answers mean, through either door."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from meshflow import errors
from meshflow.clients.door import DirectDoor, Door, ProxyDoor
from meshflow.clients.grafana import Grafana
from meshflow.clients.kiali import Kiali
from meshflow.clients.kube import Kube
from meshflow.clients.prometheus import Prometheus, Sample
from tests.clients.fake_api import FakeApi, running

PREFIX = "/api/v1/namespaces/mesh/services/web:9090/proxy"


class Service:
    """A web service that is reached by one of the doors."""

    def __init__(self, api: FakeApi, kube: Kube, *, proxied: bool) -> None:
        self.api, self.prefix = api, PREFIX if proxied else ""
        self.door: Door = DirectDoor(api.url, name="it")
        if proxied:
            self.door = ProxyDoor(kube, name="it", namespace="mesh", service="web", port=9090)

    def answers(self, path: str, body: Any, *, code: int = 200) -> None:
        self.api.on("GET", f"{self.prefix}/{path}", web.Response(status=code, text=json.dumps(body)))


@pytest.fixture(params=["proxy", "direct"])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    async with running() as (api, kube):
        yield Service(api, kube, proxied=request.param == "proxy")


def vector(*samples: tuple[dict[str, str], str]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1000.5, value]} for labels, value in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


async def test_a_query_gives_samples_with_their_labels(service: Service) -> None:
    service.answers("api/v1/query", vector(({"app": "web"}, "0.5"), ({"app": "db"}, "NaN")))
    first, second = await Prometheus(service.door).query('rate(x{code=~"5.."}[1m])')
    assert first == Sample({"app": "web"}, 0.5, 1000.5)
    assert math.isnan(second.value)
    assert service.api.asked[0].query["query"] == 'rate(x{code=~"5.."}[1m])'


async def test_no_data_is_an_empty_list_and_a_scalar_one_sample(service: Service) -> None:
    service.answers("api/v1/query", vector())
    assert await Prometheus(service.door).query("x") == []
    service.answers("api/v1/query", {"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}})
    assert await Prometheus(service.door).query("2") == [Sample({}, 2.0, 1.0)]


async def test_a_refused_query_is_told_with_the_query_and_the_reason(service: Service) -> None:
    service.answers("api/v1/query", {"status": "error", "errorType": "bad_data", "error": "parse error"}, code=400)
    with pytest.raises(errors.Rejected, match=r"refuses 'rate\(': bad_data: parse error"):
        await Prometheus(service.door).query("rate(")


async def test_targets_say_what_is_down_and_why(service: Service) -> None:
    target = {"labels": {"job": "pods"}, "scrapeUrl": "http://1.2.3.4", "health": "down", "lastError": "refused"}
    service.answers("api/v1/targets", {"status": "success", "data": {"activeTargets": [target]}})
    (found,) = await Prometheus(service.door).targets()
    assert (found.job, found.health, found.error) == ("pods", "down", "refused")


async def test_grafanas_data_source_check_is_a_verdict_either_way(service: Service) -> None:
    grafana = Grafana(service.door)
    service.answers("api/datasources/uid/prom/health", {"status": "OK", "message": "works"})
    assert await grafana.datasource_health("prom") == (True, "works")
    service.answers("api/datasources/uid/prom/health", {"message": "no route to host"}, code=400)
    assert await grafana.datasource_health("prom") == (False, "no route to host")


async def test_grafana_tells_health_and_sources(service: Service) -> None:
    grafana = Grafana(service.door)
    service.answers("api/health", {"database": "ok", "version": "12.0.1"})
    service.answers("api/datasources", [{"uid": "p", "name": "Prometheus", "type": "prometheus", "url": "http://x"}])
    assert (await grafana.health())["database"] == "ok"
    assert [source.name for source in await grafana.datasources()] == ["Prometheus"]


async def test_a_missing_login_says_where_credentials_belong(service: Service) -> None:
    service.answers("api/datasources", {"message": "Unauthorized"}, code=401)
    with pytest.raises(errors.Unauthorized, match="Check the credentials in its connection or Secret"):
        await Grafana(service.door).datasources()


async def test_kialis_graph_is_asked_for_all_namespaces_at_once(service: Service) -> None:
    service.answers("kiali/api/namespaces/graph", {"elements": {"nodes": [{"data": {"id": "1"}}]}})
    graph = await Kiali(service.door).graph(["shop", "istio-system"])
    assert graph["elements"]["nodes"] == [{"data": {"id": "1"}}]
    assert service.api.asked[0].query["namespaces"] == "shop,istio-system"


async def test_kiali_tells_its_status_and_the_meshs_tls(service: Service) -> None:
    service.answers("kiali/api/status", {"status": {"Kiali version": "v2.29.0"}})
    service.answers("kiali/api/mesh/tls", {"status": "MTLS_ENABLED"})
    kiali = Kiali(service.door)
    assert (await kiali.status())["status"]["Kiali version"] == "v2.29.0"
    assert await kiali.mesh_tls() == "MTLS_ENABLED"


async def test_a_page_instead_of_json_is_refused(service: Service) -> None:
    service.api.on("GET", f"{service.prefix}/api/health", web.Response(text="<html>login</html>"))
    with pytest.raises(errors.Rejected, match="api/health is no JSON"):
        await Grafana(service.door).health()


async def test_a_url_that_nobody_serves_is_unreachable_without_its_password() -> None:
    door = DirectDoor("http://user:s3cret@127.0.0.1:1", name="Grafana")
    with pytest.raises(errors.Unreachable, match="Grafana") as caught:
        await Grafana(door).health()
    assert "s3cret" not in str(caught.value)
