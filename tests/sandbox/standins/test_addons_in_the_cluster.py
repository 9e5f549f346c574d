"""Grafana and Kiali in a cluster, behind their logins."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.sandbox.standins.conftest import House

Obj = dict[str, Any]
GRAFANA, KIALI = "http://grafana.observability", "http://kiali.observability:20001/kiali"


def cookie(answer: httpx.Response) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.fixture
async def grafana(house: House) -> House:
    await house.namespace("observability")
    secret = {"admin-user": "admin", "admin-password": "sesame"}
    board = json.dumps({"uid": "mesh", "title": "Mesh overview"})
    for kind, name, content in (
        ("Secret", "grafana-admin", {"stringData": secret}),
        ("ConfigMap", "grafana-dashboards", {"data": {"mesh.json": board}}),
    ):
        metadata = {"name": name, "namespace": "observability"}
        await house.client.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})
    await house.install("grafana", "grafana", "observability", "observability/values/grafana.yaml")
    return house


async def test_grafana_answers_whether_it_is_well_to_anybody(grafana: House) -> None:
    """With the version of its image; everything else wants a login."""
    health = (await grafana.get(f"{GRAFANA}/api/health")).json()
    assert (health["database"], health["version"]) == ("ok", "13.2.0")
    assert (await grafana.get(f"{GRAFANA}/api/search")).status_code == 401


async def test_grafana_takes_the_login_of_its_secret(grafana: House) -> None:
    """By the form with a cookie, or by Basic authentication."""
    wrong = await grafana.post(f"{GRAFANA}/login", json={"user": "admin", "password": "guess"})
    assert wrong.status_code == 401
    right = await grafana.post(f"{GRAFANA}/login", json={"user": "admin", "password": "sesame"})
    boards = (await grafana.get(f"{GRAFANA}/api/search", headers=cookie(right))).json()
    assert [(board["uid"], board["title"]) for board in boards] == [("mesh", "Mesh overview")]
    basic = {"Authorization": f"Basic {base64.b64encode(b'admin:sesame').decode()}"}
    assert (await grafana.get(f"{GRAFANA}/api/datasources", headers=basic)).json()[0]["uid"] == "prometheus"


async def test_a_datasource_is_as_well_as_its_prometheus(grafana: House) -> None:
    """It is really asked: an error while there is none, OK once there is."""
    login = await grafana.post(f"{GRAFANA}/login", json={"user": "admin", "password": "sesame"})
    check = f"{GRAFANA}/api/datasources/uid/prometheus/health"
    answer = await grafana.get(check, headers=cookie(login))
    assert (answer.status_code, answer.json()["status"]) == (400, "ERROR")
    await grafana.install("prometheus", "prometheus", "observability", "observability/values/prometheus.yaml")
    answer = await grafana.get(check, headers=cookie(login))
    assert (answer.status_code, answer.json()["status"]) == (200, "OK")


@pytest.fixture
async def kiali(mesh: House) -> House:
    await mesh.namespace("observability")
    account = {"name": "kiali-viewer", "namespace": "observability"}
    await mesh.client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    named = {**account, "annotations": {"kubernetes.io/service-account.name": "kiali-viewer"}}
    token = {"apiVersion": "v1", "kind": "Secret", "metadata": named, "type": "kubernetes.io/service-account-token"}
    await mesh.client.create(token)
    await mesh.install("kiali-server", "kiali", "observability", "observability/values/kiali.yaml")
    return mesh


async def test_kiali_takes_the_token_of_an_account(kiali: House) -> None:
    """Its own status it tells anybody; the mesh only who logged in."""
    status = (await kiali.get(f"{KIALI}/api/status")).json()["status"]
    assert (status["Kiali state"], status["Mesh version"]) == ("running", "1.30.3")
    assert (await kiali.get(f"{KIALI}/api/mesh/tls")).status_code == 401
    wrong = await kiali.post(f"{KIALI}/api/authenticate", data={"token": "guess"})
    assert wrong.status_code == 401
    secret = await kiali.until("v1", "Secret", "observability", "kiali-viewer", lambda o: o.get("data"))
    token = base64.b64decode(secret["data"]["token"]).decode()
    right = await kiali.post(f"{KIALI}/api/authenticate", data={"token": token})
    tls = await kiali.get(f"{KIALI}/api/mesh/tls", headers=cookie(right))
    assert tls.json()["status"] == "MTLS_NOT_ENABLED"
    graph = await kiali.get(f"{KIALI}/api/namespaces/graph?namespaces=weather", headers=cookie(right))
    assert set(graph.json()["elements"]) == {"nodes", "edges"}


async def test_kiali_counts_what_is_invalid(kiali: House) -> None:
    """By namespace; a Bearer token does as well as a cookie."""
    secret = await kiali.until("v1", "Secret", "observability", "kiali-viewer", lambda o: o.get("data"))
    bearer = {"Authorization": f"Bearer {base64.b64decode(secret['data']['token']).decode()}"}
    found = (await kiali.get(f"{KIALI}/api/istio/validations", headers=bearer)).json()
    assert {entry["namespace"] for entry in found} >= {"default", "istio-system", "observability"}
    assert all(entry["errors"] == 0 for entry in found)
