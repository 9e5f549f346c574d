"""Is Flagger there, and does it reach the Prometheus that it decides by?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from meshflow.gates.model import Number, Result, Verdict
from meshflow.mesh.evidence import Sample
from meshflow.mesh.injection import version_of
from meshflow.objects.reference import Obj

AVAILABLE, METRICS, SCRAPED = "flagger.available", "flagger.metrics_server", "flagger.scraped"
FLAG = "metrics-server"
PORTS = {"http": 80, "https": 443}


class Server(NamedTuple):
    """Where Flagger asks for metrics, as its Deployment says. `service` is empty for an address outside the cluster."""

    url: str
    service: str
    namespace: str
    port: int


def available(deployment: Obj | None) -> Verdict:
    """Whether the controller's Deployment has an available replica."""
    if deployment is None:
        return Verdict(AVAILABLE, Result.FAIL, "there is no Flagger")
    ready = int((deployment.get("status") or {}).get("availableReplicas") or 0)
    wanted = int(deployment["spec"].get("replicas", 1))
    version = version_of(_container(deployment).get("image", ""))
    numbers: dict[str, Number] = {"available": ready, "wanted": wanted, "version": version}
    result = Result.PASS if ready >= 1 else Result.FAIL
    return Verdict(AVAILABLE, result, f"{ready} of {wanted} replicas of Flagger {version} are available", numbers)


def server_of(deployment: Obj) -> Server | None:
    """The metrics server in Flagger's arguments, None when it has none."""
    container = _container(deployment)
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    url = next((word.partition("=")[2] for word in words if word.lstrip("-").startswith(f"{FLAG}=")), "")
    if not url:
        return None
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    inside = len(labels) == 2 or labels[2:3] == ["svc"]
    own = deployment["metadata"].get("namespace", "")
    port = parts.port or PORTS.get(parts.scheme, 80)
    return Server(url, labels[0] if inside or len(labels) == 1 else "", labels[1] if inside else own, port)


def metrics_server(server: Server | None, *, status: int | None) -> Verdict:
    """Whether the server that Flagger asks is ready: `status` is the answer of exactly that address to `/-/ready`."""
    if server is None:
        return Verdict(METRICS, Result.FAIL, f"Flagger was started without -{FLAG}, so it can judge nothing")
    numbers: dict[str, Number] = {"url": server.url, "status": status if status is not None else "none"}
    if status is None:
        return Verdict(METRICS, Result.INCONCLUSIVE, f"{server.url} was not asked", numbers)
    result = Result.PASS if status == 200 else Result.FAIL
    return Verdict(METRICS, result, f"Flagger's metrics server {server.url} answered {status} to /-/ready", numbers)


def scraped(info: Iterable[Sample]) -> Verdict:
    """Whether Prometheus knows Flagger (`queries.flagger_info`): then both see each other."""
    found = list(info)
    versions = sorted({sample.labels.get("version", "?") for sample in found})
    if not found:
        return Verdict(SCRAPED, Result.INCONCLUSIVE, "Prometheus has no series of Flagger yet", {"series": 0})
    return Verdict(SCRAPED, Result.PASS, f"Prometheus scrapes Flagger {', '.join(versions)}", {"series": len(found)})


def _container(deployment: Obj) -> Obj:
    containers: list[Obj] = deployment["spec"]["template"]["spec"]["containers"]
    return next((item for item in containers if item["name"] == "flagger"), containers[0])
