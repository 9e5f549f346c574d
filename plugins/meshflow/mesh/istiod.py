"""The control plane as it is seen from its objects: its version, its webhooks, which revision serves which tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from meshflow.mesh.injection import DEFAULT_REVISION, version_of
from meshflow.objects.reference import Obj

APP, REVISION, TAG = "istiod", "istio.io/rev", "istio.io/tag"


class Webhook(NamedTuple):
    """One entry of a webhook configuration that calls istiod."""

    configuration: str  # Kind/name
    name: str
    has_bundle: bool


class ControlPlane(NamedTuple):
    """One istiod Deployment. `available` and `wanted` are replicas."""

    name: str
    revision: str
    version: str
    available: int
    wanted: int


def control_planes(deployments: Iterable[Obj]) -> tuple[ControlPlane, ...]:
    """The istiod Deployments (label `app: istiod`), by revision."""
    found = [_control_plane(item) for item in deployments if _labels(item).get("app") == APP]
    return tuple(sorted(found, key=lambda plane: (plane.revision, plane.name)))


def webhooks(configurations: Iterable[Obj]) -> tuple[Webhook, ...]:
    """The entries that call istiod, of mutating and validating configurations alike. Others' are left out."""
    return tuple(
        Webhook(
            f"{item['kind']}/{item['metadata']['name']}",
            entry["name"],
            bool((entry.get("clientConfig") or {}).get("caBundle")),
        )
        for item in configurations
        for entry in item.get("webhooks") or []
        if _calls_istiod(entry)
    )


def revisions(configurations: Iterable[Obj]) -> dict[str, str]:
    """Which revision serves which tag, from the injectors' labels. `default` is the untagged control plane's."""
    found: dict[str, str] = {}
    for item in configurations:
        labels = _labels(item)
        revision = labels.get(REVISION)
        if item["kind"] != "MutatingWebhookConfiguration" or not revision:
            continue
        tag = labels.get(TAG)
        if tag:
            found[tag] = revision
        elif revision == DEFAULT_REVISION:
            found.setdefault(DEFAULT_REVISION, revision)
    return found


def answered_version(answer: Any) -> str:
    """The version in istiod's answer to `/version`, empty when there is none.

    Takes decoded JSON (`{"version": …}`, also nested) or plain text such as `1.30.3-4f2c…-Clean`, of which the commit
    and the state of the tree are left out.
    """
    if isinstance(answer, Mapping):
        direct = answer.get("version") or answer.get("Version")
        nested = next((answered_version(value) for value in answer.values() if isinstance(value, Mapping)), "")
        return answered_version(direct) if direct else nested
    found = re.match(r"v?(\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)", str(answer or "").strip())
    return found[1] if found else ""


def _control_plane(deployment: Obj) -> ControlPlane:
    status = deployment.get("status") or {}
    containers = deployment["spec"]["template"]["spec"]["containers"]
    discovery = next((item for item in containers if item["name"] == "discovery"), containers[0])
    return ControlPlane(
        deployment["metadata"]["name"],
        _labels(deployment).get(REVISION, DEFAULT_REVISION),
        version_of(discovery.get("image", "")),
        int(status.get("availableReplicas") or 0),
        int(deployment["spec"].get("replicas", 1)),
    )


def _calls_istiod(entry: Obj) -> bool:
    service = (entry.get("clientConfig") or {}).get("service") or {}
    return str(service.get("name", "")).startswith(APP)


def _labels(obj: Obj) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
