"""Who should have a sidecar, and who has one.

Istio's injector is four webhooks with selectors over the labels of namespace and pod. What they come to:

    namespace istio-injection   namespace istio.io/rev   pod sidecar.istio.io/inject   pod istio.io/rev   injected by
    enabled                     any (ignored)            not false                     any                default
    anything else               any                      any                           any                nobody
    none                        REV                      not false                     any                REV
    none                        none                     not false                     REV                REV
    none                        none                     true                          none               default

Only exactly `true` and `false` say something. Without that label the injector also honours an annotation of the same
name, which used to be the way, though only to leave a pod alone: the webhooks do not see annotations.

Pods on the host's network and the namespaces of Kubernetes itself are never injected. A pod keeps what it was born
with: labels count when it is created, so a change shows only in new pods.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from meshflow.objects.reference import Obj, Reference, group_of

DEFAULT_REVISION = "default"
CONTAINER = "istio-proxy"
INJECTION, REVISION, INJECT = "istio-injection", "istio.io/rev", "sidecar.istio.io/inject"
STATUS = "sidecar.istio.io/status"
NEVER = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
VARIANTS = ("-distroless", "-debug")


class Injection(NamedTuple):
    """Whether a new pod gets a proxy, of which revision or tag, and which label says so."""

    inject: bool
    revision: str | None
    why: str


class Proxy(NamedTuple):
    """The proxy of a pod. `version` is its image's tag ("" when it has none), `native` an init container's kind."""

    version: str
    revision: str | None
    ready: bool
    native: bool
    image: str
    message: str  # why it is not ready, empty when it is


def wanted(namespace: Obj, pod: Obj) -> Injection:
    """What the injector does with a new pod (or with one of a template) in a namespace."""
    name, labels = namespace["metadata"]["name"], namespace["metadata"].get("labels") or {}
    own = (pod.get("metadata") or {}).get("labels") or {}
    if (pod.get("spec") or {}).get("hostNetwork"):
        return Injection(False, None, "it uses the host's network")
    if name in NEVER:
        return Injection(False, None, f"namespace {name} belongs to Kubernetes")
    revision, why = _selected(labels, own)
    if revision is None:
        return Injection(False, None, why)
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    for kind, said in (("label", own), ("annotation", {} if INJECT in own else annotations)):
        if said.get(INJECT) == "false":
            return Injection(False, None, f"its {kind} {INJECT}=false")
    return Injection(True, revision, why)


def _selected(labels: Mapping[str, str], own: Mapping[str, str]) -> tuple[str | None, str]:
    if INJECTION in labels:
        value = labels[INJECTION]
        return (DEFAULT_REVISION if value == "enabled" else None), f"the namespace's label {INJECTION}={value}"
    if REVISION in labels:
        return labels[REVISION], f"the namespace's label {REVISION}={labels[REVISION]}"
    if REVISION in own:
        return own[REVISION], f"its label {REVISION}={own[REVISION]}"
    if own.get(INJECT) == "true":
        return DEFAULT_REVISION, f"its label {INJECT}=true"
    return None, "no label asks for it"


def proxy_of(pod: Obj) -> Proxy | None:
    """The proxy of a pod, None without one. Native sidecars stand among the init containers, so both lists are read."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    for containers, statuses in (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")):
        container = next((item for item in spec.get(containers) or [] if item.get("name") == CONTAINER), None)
        if container is None:
            continue
        state: Obj = next((item for item in status.get(statuses) or [] if item.get("name") == CONTAINER), {})
        image = container.get("image", "")
        return Proxy(
            version=version_of(image),
            revision=_revision(pod),
            ready=bool(state.get("ready")),
            native=containers == "initContainers",
            image=image,
            message="" if state.get("ready") else _waiting(state),
        )
    return None


def version_of(image: str) -> str:
    """The Istio version in an image's tag, without the variant: `1.30.3` for `…/proxyv2:1.30.3-distroless@sha256:…`."""
    name = image.partition("@")[0]
    tag = name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else ""
    for variant in VARIANTS:
        tag = tag.removesuffix(variant)
    return tag


def lacks(pod: Obj, injection: Injection, *, version: str, revisions: Mapping[str, str] | None = None) -> str | None:
    """Why the pod has not the proxy that it should have; None when it has, or should have none.

    `version` is the control plane's, empty to leave it out of the question. `revisions` resolves tags (`default` too)
    to the revision that serves them; a tag that it does not know is taken to be a revision.
    """
    if not injection.inject:
        return None
    proxy = proxy_of(pod)
    if proxy is None:
        return f"no proxy, though {injection.why} asks for one"
    if version and proxy.version and proxy.version != version:
        return f"proxy {proxy.version}, the control plane is {version}"
    want = (revisions or {}).get(str(injection.revision), str(injection.revision))
    if proxy.revision and proxy.revision != want:
        return f"proxy of revision {proxy.revision}, wanted {want}"
    return None


def alive(pod: Obj) -> bool:
    """Whether the pod runs or will: not finished, not being deleted."""
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not finished and not pod["metadata"].get("deletionTimestamp")


_BETWEEN = ("ReplicaSet", "Job")


def owner_of(pod: Obj, owners: Mapping[Reference, Obj]) -> Reference:
    """The workload that the pod comes from; the pod's own reference when nobody controls it.

    The chain of controllers is followed through ReplicaSets and Jobs, found in `owners`, and ends at anything else: a
    Deployment that belongs to somebody (a primary belongs to its Canary) is what makes the pods all the same.
    """
    current, reference = pod, Reference.of(pod)
    while controller := _controller(current):
        namespace = current["metadata"].get("namespace")
        reference = Reference(group_of(controller["apiVersion"]), controller["kind"], namespace, controller["name"])
        if reference.kind not in _BETWEEN or reference not in owners:
            break
        current = owners[reference]
    return reference


def by_reference(objects: Iterable[Obj]) -> dict[Reference, Obj]:
    return {Reference.of(obj): obj for obj in objects}


def _controller(obj: Obj) -> Obj | None:
    owners = obj["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def _revision(pod: Obj) -> str | None:
    """What the injector noted; the label is a fallback, for the application may set that itself."""
    metadata = pod.get("metadata") or {}
    noted = (metadata.get("annotations") or {}).get(STATUS)
    try:
        found = json.loads(noted).get("revision") if noted else None
    except (ValueError, AttributeError):  # somebody else's text in the annotation
        found = None
    return found or (metadata.get("labels") or {}).get(REVISION)


def _waiting(state: Obj) -> str:
    for kind in ("waiting", "terminated"):
        detail = (state.get("state") or {}).get(kind)
        if detail:
            return f"{kind}: {detail.get('reason', 'no reason given')}"
    return "not ready yet" if state else "not started yet"
