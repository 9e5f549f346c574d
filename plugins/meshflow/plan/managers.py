"""Who is behind a field manager, for people who have never heard of field managers."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

_KNOWN: tuple[tuple[str, str], ...] = (
    ("kubectl-client-side-apply", "kubectl apply"),
    ("before-first-apply", "someone before the first server-side apply"),
    ("kubectl-*", "kubectl {rest}"),
    ("kubectl", "kubectl apply --server-side"),
    ("helm", "Helm"),
    ("meshflow-release", "a release of Meshflow"),
    ("meshflow", "Meshflow"),
    ("flagger", "Flagger"),
    ("pilot-discovery", "istiod"),
    ("kube-controller-manager", "a controller of Kubernetes"),
    ("argocd-controller", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
)


def described(manager: str) -> str:
    """`kubectl-edit (kubectl edit)`; the bare name of an unknown manager."""
    for pattern, words in _KNOWN:
        if fnmatchcase(manager, pattern):
            told = words.format(rest=manager.partition("-")[2])
            return manager if told.lower() == manager.lower() else f"{manager} ({told})"
    return manager


def conflict_message(fields: Iterable[tuple[str, str]]) -> str:
    """`kubectl-edit (kubectl edit) owns spec.replicas`, one clause per manager."""
    paths: dict[str, list[str]] = {}
    for manager, path in fields:
        paths.setdefault(manager, []).append(path)
    return "; ".join(f"{described(manager)} owns {', '.join(owned)}" for manager, owned in paths.items())
