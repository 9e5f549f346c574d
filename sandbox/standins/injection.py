"""What istiod's injector makes of a pod: pure, from a pod and the injector's settings to a JSON patch.

Which pods come here is decided by the selectors of the webhook configuration (namespace labels, the pod's labels); the
injector itself then refuses pods on the host's network and in system namespaces, and looks at
`sidecar.istio.io/inject`. Two templates are built in, as in the real one: `sidecar`, and `gateway` for pods that say
`inject.istio.io/templates: gateway`, whose own container is completed.

The revision goes to annotations, not to the label `istio.io/rev`: that one may name a tag and stays as it was.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import selectors
from sandbox.standins import injection_proxy, injection_rewrites

Obj = dict[str, Any]

PROXY = injection_proxy.PROXY
INJECT = "sidecar.istio.io/inject"
STATUS = "sidecar.istio.io/status"
TEMPLATES = "inject.istio.io/templates"
SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
PATCHED = (
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("spec", "initContainers"),
    ("spec", "containers"),
    ("spec", "volumes"),
    ("spec", "securityContext"),
)


@dataclass(frozen=True)
class Settings:
    """What an istiod injects with: `values` and `config` of its injector ConfigMap, `mesh` of its mesh ConfigMap."""

    revision: str = "default"
    values: Obj = field(default_factory=dict)
    config: Obj = field(default_factory=dict)
    mesh: Obj = field(default_factory=dict)

    @property
    def native(self) -> bool:
        """Native sidecars, unless the Deployment's environment turns them off."""
        env = self.values.get("pilot", {}).get("env") or {}
        return str(env.get("ENABLE_NATIVE_SIDECARS", "auto")).lower() != "false"


class BadPod(Exception):
    """The pod cannot be injected; the message is for whoever created it."""


def wanted(pod: Obj, settings: Settings) -> bool:
    """Whether a pod that the webhook was asked about gets a proxy."""
    metadata, spec = pod["metadata"], pod["spec"]
    if spec.get("hostNetwork") or metadata.get("namespace") in SYSTEM:
        return False
    said = _labels(pod).get(INJECT, _annotations(pod).get(INJECT, ""))
    if said in ("true", "false"):
        return said == "true"
    for key, answer in (("neverInjectSelector", False), ("alwaysInjectSelector", True)):
        if any(selector and selectors.matches(selector, _labels(pod)) for selector in settings.config.get(key) or ()):
            return answer
    return bool(settings.config.get("policy", "enabled") == "enabled")


def inject(pod: Obj, settings: Settings) -> Obj:
    """The pod with its proxy; a new object. Raises BadPod for a template that is not there."""
    names = _templates(pod, settings)
    unknown = [name for name in names if name not in ("sidecar", "gateway")]
    if unknown:
        raise BadPod(f'requested template "{unknown[0]}" not found; have gateway, sidecar')
    done = copy.deepcopy(pod)
    labels, annotations = done["metadata"].setdefault("labels", {}), done["metadata"].setdefault("annotations", {})
    owner = _workload(pod)
    proxy = injection_proxy.Proxy(settings.values, settings.mesh, done, owner)
    if "gateway" in names:
        made = injection_proxy.gateway(proxy)
    else:
        native = annotations.get("sidecar.istio.io/nativeSidecar", str(settings.native).lower()) != "false"
        made = injection_proxy.sidecar(proxy, native=native)
        labels.setdefault("security.istio.io/tlsMode", "istio")
    _name(labels, owner.name)
    _annotate(done, settings)
    status = _merge(done["spec"], made)
    injection_rewrites.prometheus(done, settings.mesh)
    if "gateway" not in names:
        injection_rewrites.probes(done, settings.values)
    annotations[STATUS] = json.dumps({**status, "revision": settings.revision}, separators=(",", ":"))
    annotations.update(settings.config.get("injectedAnnotations") or {})
    return done


def patch(before: Obj, after: Obj) -> list[Obj]:
    """JSON patch operations that lead from one pod to the other, at the places that injection changes."""
    operations = []
    for part, key in PATCHED:
        if after[part].get(key) != before[part].get(key):
            operation = "replace" if key in before[part] else "add"
            operations.append({"op": operation, "path": f"/{part}/{key}", "value": after[part][key]})
    return operations


def _templates(pod: Obj, settings: Settings) -> list[str]:
    said = _annotations(pod).get(TEMPLATES)
    return (
        [name.strip() for name in said.split(",")] if said else settings.config.get("defaultTemplates") or ["sidecar"]
    )


def _name(labels: dict[str, str], owner: str) -> None:
    named = labels.get("app.kubernetes.io/name") or labels.get("app") or owner
    version = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    labels.setdefault("service.istio.io/canonical-name", named[:63].rstrip("-"))
    labels.setdefault("service.istio.io/canonical-revision", version)


def _annotate(pod: Obj, settings: Settings) -> None:
    annotations = pod["metadata"]["annotations"]
    annotations["istio.io/rev"] = settings.revision
    names = [container["name"] for container in pod["spec"]["containers"] if container["name"] != PROXY]
    if names:
        annotations.setdefault("kubectl.kubernetes.io/default-container", names[0])
        annotations.setdefault("kubectl.kubernetes.io/default-logs-container", names[0])


def _merge(spec: Obj, made: injection_proxy.Made) -> Obj:
    """Put the proxy's parts into the pod; what the pod says of its own wins. Returns the lists of the status."""
    if made.init:
        others = [c for c in spec.get("initContainers") or [] if c["name"] not in {m["name"] for m in made.init}]
        spec["initContainers"] = [_completed(spec.get("initContainers"), m) for m in made.init] + others
    if made.containers:
        others = [c for c in spec["containers"] if c["name"] not in {m["name"] for m in made.containers}]
        spec["containers"] = others + [_completed(spec["containers"], m) for m in made.containers]
    mine = {volume["name"] for volume in made.volumes}
    spec["volumes"] = [*made.volumes, *(v for v in spec.get("volumes") or [] if v["name"] not in mine)]
    if made.security_context:
        spec["securityContext"] = {**made.security_context, **(spec.get("securityContext") or {})}
    return {
        "initContainers": [c["name"] for c in made.init] or None,
        "containers": [c["name"] for c in made.containers] or None,
        "volumes": [v["name"] for v in made.volumes],
        "imagePullSecrets": None,
    }


def _completed(present: Iterable[Obj] | None, made: Obj) -> Obj:
    own = next((c for c in present or () if c["name"] == made["name"]), None)
    if own is None:
        return made
    merged = {**made, **{key: value for key, value in own.items() if value not in (None, [], {})}}
    if own.get("securityContext"):
        merged["securityContext"] = {**made.get("securityContext", {}), **own["securityContext"]}
    if own.get("image") in (None, "", "auto"):
        merged["image"] = made["image"]
    for key, name in (("env", "name"), ("volumeMounts", "mountPath"), ("ports", "containerPort")):
        theirs = own.get(key) or []
        taken = {entry[name] for entry in theirs}
        merged[key] = [entry for entry in made.get(key, ()) if entry[name] not in taken] + theirs
    return merged


def _workload(pod: Obj) -> injection_proxy.Workload:
    """The Deployment behind a ReplicaSet's pod, any other owner, or the pod itself."""
    metadata = pod["metadata"]
    owner = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), None)
    if owner is None:
        name = str(metadata.get("name") or metadata.get("generateName", "").rstrip("-"))
        return injection_proxy.Workload("v1", "Pod", name)
    suffix = f"-{_labels(pod).get('pod-template-hash', '')}"
    if owner["kind"] == "ReplicaSet" and owner["name"].endswith(suffix):
        return injection_proxy.Workload("apps/v1", "Deployment", owner["name"].removesuffix(suffix))
    return injection_proxy.Workload(owner.get("apiVersion", "apps/v1"), owner["kind"], owner["name"])


def _labels(pod: Obj) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _annotations(pod: Obj) -> Mapping[str, str]:
    return pod["metadata"].get("annotations") or {}
