"""Builders of plain objects for the mesh's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Obj = dict[str, Any]


def make_pod(
    name: str = "web-1",
    *,
    namespace: str = "weather",
    labels: Mapping[str, str] | None = None,
    proxy: str | None = None,
    native: bool = True,
    ready: bool = True,
    owner: tuple[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Obj:
    """A running pod; `proxy` is the version of its proxy, `owner` its controller's (kind, name)."""
    container = {"name": "istio-proxy", "image": f"registry.istio.io/release/proxyv2:{proxy}"}
    state = {"name": "istio-proxy", "ready": ready, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    own, status = [container] if proxy else [], [state] if proxy else []
    obj: Obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {}),
            "annotations": dict(annotations or {}),
        },
        "spec": {
            "containers": [{"name": "app", "image": "app:1"}, *([] if native else own)],
            "initContainers": own if native else [],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [] if native else status,
            "initContainerStatuses": status if native else [],
        },
    }
    if owner:
        kind, of = owner
        obj["metadata"]["ownerReferences"] = [{"apiVersion": _API[kind], "kind": kind, "name": of, "controller": True}]
    return obj


_API = {
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "Thing": "example.com/v1",
}


def make_namespace(name: str = "weather", **labels: str) -> Obj:
    renamed = {key.replace("__", "-").replace("_rev", ".io/rev"): value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": renamed}}


@pytest.fixture
def pod() -> Callable[..., Obj]:
    return make_pod


@pytest.fixture
def namespace() -> Callable[..., Obj]:
    return make_namespace
