"""Objects of a small meshed application, as the API server would return them."""

from typing import Any

Obj = dict[str, Any]


def pod(
    name: str,
    workload: str,
    *,
    namespace: str = "weather",
    image: str = "ghcr.io/stefanprodan/podinfo:6.7.0",
    proxied: bool = True,
    ready: bool = True,
    app: str | None = None,
    account: str = "default",
) -> Obj:
    """A pod of a Deployment `workload`, labelled app=`app` (default: the workload's name)."""
    containers = [{"name": "app", "image": image}] if image else []
    proxy = [{"name": "istio-proxy", "image": "registry.istio.io/release/proxyv2:1.30.3"}]
    native = proxy if proxied and image else []
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": app or workload, "pod-template-hash": "abc"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{workload}-abc", "controller": True}],
        },
        "spec": {
            "serviceAccountName": account,
            "containers": containers or proxy,
            "initContainers": native,
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.0.0.{sum(map(ord, name)) % 250}",
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def service(name: str, app: str, *, namespace: str = "weather", port: Obj | None = None, owner: str = "") -> Obj:
    """A Service that selects app=`app`; `owner` names the Canary that made it."""
    owners = [{"kind": "Canary", "name": owner, "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": owners},
        "spec": {"selector": {"app": app}, "ports": [port or {"name": "http", "port": 9898}]},
    }


def virtual_service(name: str, weights: dict[str, int], *, namespace: str = "weather", **spec: Any) -> Obj:
    """A VirtualService for host `name` that splits by `weights` (host → weight)."""
    route = [{"destination": {"host": host}, "weight": weight} for host, weight in weights.items()]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hosts": [name], "gateways": ["mesh"], "http": [{"route": route}], **spec},
    }
