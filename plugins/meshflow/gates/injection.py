"""Has every pod that should have a proxy a ready one, of the control plane's version?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from meshflow.gates.model import Number, Result, Verdict
from meshflow.mesh import injection
from meshflow.objects.reference import Obj

PROXIES = "injection.proxies"


class _Judged(NamedTuple):
    name: str
    wanted: bool
    problem: str
    native: bool


def proxies(
    pods: Iterable[Obj],
    *,
    namespaces: Iterable[Obj],
    version: str,
    revisions: Mapping[str, str] | None = None,
    left: Sequence[str] = (),
) -> Verdict:
    """Whether all running pods of the namespaces that should have a proxy have it, ready and of `version`.

    Pods that are finished or being deleted are not asked. No pod that should have one is a pass when the namespaces are
    labelled: there is nothing to inject yet. A namespace that no pod-independent label selects is a fail.
    `left` names, for the sentence, what lacks its proxy and is for a person to restart, with the reason.
    """
    known = {item["metadata"]["name"]: item for item in namespaces}
    silent = sorted(name for name, item in known.items() if not injection.wanted(item, {}).inject)
    if silent:
        return Verdict(
            PROXIES, Result.FAIL, f"injection is not turned on in {', '.join(silent)}", {"namespaces": len(known)}
        )
    judged = [_judge(pod, known, version, revisions) for pod in pods if _counts(pod, known)]
    wanted = [item for item in judged if item.wanted]
    bad = [item for item in wanted if item.problem]
    numbers: dict[str, Number] = {
        "pods": len(judged),
        "wanted": len(wanted),
        "ready": len(wanted) - len(bad),
        "native": sum(item.native for item in wanted),
        "version": version,
    }
    if bad:
        return Verdict(PROXIES, Result.FAIL, _sentence(bad, len(wanted), left), numbers)
    reason = f"all {len(wanted)} pods have a ready proxy {version}" if wanted else "no pod is there to inject yet"
    return Verdict(PROXIES, Result.PASS, reason, numbers)


def _counts(pod: Obj, namespaces: Mapping[str, Obj]) -> bool:
    return pod["metadata"].get("namespace") in namespaces and injection.alive(pod)


def _judge(pod: Obj, namespaces: Mapping[str, Obj], version: str, revisions: Mapping[str, str] | None) -> _Judged:
    want = injection.wanted(namespaces[pod["metadata"]["namespace"]], pod)
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    proxy = injection.proxy_of(pod)
    problem = injection.lacks(pod, want, version=version, revisions=revisions) or ""
    if want.inject and proxy and not problem and not proxy.ready:
        problem = f"proxy not ready ({proxy.message})"
    return _Judged(name, want.inject, problem, bool(proxy and proxy.native))


def _sentence(bad: list[_Judged], wanted: int, left: Sequence[str]) -> str:
    first = "; ".join(f"{item.name}: {item.problem}" for item in bad[:3])
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    yours = f". For you to restart: {'; '.join(left[:3])}" if left else ""
    return f"{len(bad)} of {wanted} pods are without: {first}{more}{yours}"
