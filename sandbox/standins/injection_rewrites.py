"""What the injector changes in the application's own part of a pod: probes, and where Prometheus scrapes.

The kubelet has no certificate of the mesh, so its HTTP, TCP and gRPC probes of the main containers are sent to the
agent beside the proxy, which asks the application in its place. Prometheus is sent there as well, where the metrics of
application and proxy are merged.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from sandbox.standins.injection_proxy import PROXY

Obj = dict[str, Any]

STATUS_PORT = 15020
PROBES = {"livenessProbe": "livez", "readinessProbe": "readyz", "startupProbe": "startupz"}
SCRAPE = ("prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path")


def probes(pod: Obj, values: Obj) -> None:
    """Rewrite the probes of the main containers in place, and tell the proxy what they were."""
    default = (values.get("sidecarInjectorWebhook") or {}).get("rewriteAppHTTPProbe", True)
    said = pod["metadata"]["annotations"].get("sidecar.istio.io/rewriteAppHTTPProbers", str(default).lower())
    proxy = _proxy(pod["spec"])
    if said == "false" or proxy is None:
        return
    known: Obj = {}
    for container in pod["spec"]["containers"]:
        if container["name"] != PROXY:
            known.update(_rewritten(container))
    if known:
        _set(proxy, "ISTIO_KUBE_APP_PROBERS", json.dumps(known, separators=(",", ":")))


def prometheus(pod: Obj, mesh: Obj) -> None:
    """Send scrapes to the merged metrics, in place, unless the pod or the mesh says otherwise."""
    annotations = pod["metadata"]["annotations"]
    merge = annotations.get("prometheus.istio.io/merge-metrics", str(mesh.get("enablePrometheusMerge", True)).lower())
    if annotations.get(SCRAPE[0]) == "false" or merge == "false" or annotations.get(SCRAPE[1]) == str(STATUS_PORT):
        return
    own = {key.rpartition("/")[2]: annotations[key] for key in SCRAPE if key in annotations}
    proxy = _proxy(pod["spec"])
    if own and proxy is not None:
        _set(proxy, "ISTIO_PROMETHEUS_ANNOTATIONS", json.dumps(own, separators=(",", ":")))
    annotations.update(zip(SCRAPE, ("true", str(STATUS_PORT), "/stats/prometheus"), strict=True))


def _rewritten(container: Obj) -> Obj:
    found: Obj = {}
    for kind, word in PROBES.items():
        probe = container.get(kind) or {}
        how = next((key for key in ("httpGet", "tcpSocket", "grpc") if key in probe), None)
        if how is None:
            continue
        path = f"/app-health/{container['name']}/{word}"
        original = {how: _numbered(probe[how], container)}
        if "timeoutSeconds" in probe:
            original["timeoutSeconds"] = probe["timeoutSeconds"]
        found[path] = original
        kept = {key: value for key, value in probe.items() if key != how}
        container[kind] = {**kept, "httpGet": {"path": path, "port": STATUS_PORT, "scheme": "HTTP"}}
    return found


def _numbered(action: Obj, container: Obj) -> Obj:
    """The probe's action with a port's name replaced by its number: the agent knows no names."""
    done = copy.deepcopy(action)
    ports = {port.get("name"): port["containerPort"] for port in container.get("ports") or ()}
    if "port" in done:
        done["port"] = ports.get(done["port"], done["port"])
    return done


def _proxy(spec: Obj) -> Obj | None:
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        if container["name"] == PROXY:
            return container  # type: ignore[no-any-return]
    return None


def _set(container: Obj, name: str, value: str) -> None:
    others = [entry for entry in container.get("env") or [] if entry["name"] != name]
    container["env"] = [*others, {"name": name, "value": value}]
