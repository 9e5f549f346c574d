"""Prometheus, Grafana and Kiali as mesh.yaml says they are reached, logged in where they want it."""

from __future__ import annotations

import base64

from meshflow.clients import session
from meshflow.clients.door import DirectDoor, Door, ProxyDoor
from meshflow.clients.grafana import Grafana
from meshflow.clients.kiali import Kiali
from meshflow.clients.kube import Kube
from meshflow.clients.prometheus import Prometheus
from meshflow.declared import Endpoint
from meshflow.errors import NotFound
from meshflow.objects.reference import Reference
from meshflow.settings import Mesh


def door(kube: Kube, endpoint: Endpoint, *, name: str) -> Door:
    """Behind the service proxy, or at the URL if mesh.yaml has one."""
    if endpoint.url:
        return DirectDoor(endpoint.url, name=name)
    return ProxyDoor(
        kube,
        name=name,
        namespace=endpoint.namespace,
        service=endpoint.service,
        port=endpoint.port,
        scheme=endpoint.scheme,
    )


def prometheus(kube: Kube, mesh: Mesh) -> Prometheus:
    """The Prometheus that gates ask."""
    return Prometheus(door(kube, mesh.prometheus, name="Prometheus"))


async def grafana(kube: Kube, mesh: Mesh) -> Grafana:
    """Grafana, logged in by the Secret that mesh.yaml names, if it names one."""
    plain = door(kube, mesh.grafana, name="Grafana")
    login = mesh.grafana.login
    if login is None:
        return Grafana(plain)
    user = await secret(kube, mesh.grafana.namespace, login.name, login.user)
    password = await secret(kube, mesh.grafana.namespace, login.name, login.password)
    return Grafana(await session.by_json(plain, "login", {"user": user, "password": password}))


async def kiali(kube: Kube, mesh: Mesh) -> Kiali:
    """Kiali, logged in by the token in the Secret that mesh.yaml names, if it names one."""
    plain, root = door(kube, mesh.kiali, name="Kiali"), mesh.kiali.path
    token = mesh.kiali.token
    if token is None:
        return Kiali(plain, root=root)
    text = await secret(kube, mesh.kiali.namespace, token.name, token.key)
    return Kiali(await session.by_form(plain, f"{root.strip('/')}/api/authenticate", {"token": text}), root=root)


async def secret(kube: Kube, namespace: str, name: str, key: str) -> str:
    """What a Secret holds under a key; NotFound when there is no such Secret or key. Never logged."""
    found = await kube.get(Reference("", "Secret", namespace, name))
    data = (found or {}).get("data") or {}
    if key not in data:
        raise NotFound(
            f"Secret/{namespace}/{name} has no {key}, which is needed to log in. Run deploy_observability to make it"
        )
    return base64.b64decode(data[key]).decode()
