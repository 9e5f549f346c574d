"""Is the control plane there, the one that was asked for, and trusted by the API server?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from meshflow.gates.model import Number, Result, Verdict
from meshflow.mesh import injection, istiod
from meshflow.objects.reference import Obj

CRDS, AVAILABLE, VERSION, BUNDLES = "istio.crds", "istio.available", "istio.version", "istio.ca_bundles"


def crds_established(crds: Iterable[Obj], *, expected: Collection[str], gate: str = CRDS) -> Verdict:
    """Whether every expected CustomResourceDefinition (by name) is there and served."""
    established = {crd["metadata"]["name"] for crd in crds if _established(crd)}
    lacking = sorted(set(expected) - established)
    numbers = {"expected": len(set(expected)), "established": len(set(expected)) - len(lacking)}
    if not expected:
        return Verdict(gate, Result.INCONCLUSIVE, "no definition was expected, so none was looked for", numbers)
    if lacking:
        return Verdict(gate, Result.FAIL, f"not established: {_few(lacking)}", numbers)
    return Verdict(gate, Result.PASS, f"all {len(set(expected))} definitions are established", numbers)


def available(deployments: Iterable[Obj], *, version: str, revision: str = injection.DEFAULT_REVISION) -> Verdict:
    """Whether the istiod of this revision is available in this version."""
    planes = [plane for plane in istiod.control_planes(deployments) if plane.revision == revision]
    if not planes:
        return Verdict(AVAILABLE, Result.FAIL, f"there is no istiod of revision {revision}")
    plane = planes[0]
    numbers: dict[str, Number] = {"available": plane.available, "wanted": plane.wanted, "version": plane.version}
    if plane.available < 1 or plane.available < plane.wanted:
        reason = f"{plane.available} of {plane.wanted} replicas of {plane.name} are available"
        return Verdict(AVAILABLE, Result.FAIL, reason, numbers)
    if version and plane.version and plane.version != version:
        return Verdict(AVAILABLE, Result.FAIL, f"{plane.name} is {plane.version}, wanted {version}", numbers)
    return Verdict(AVAILABLE, Result.PASS, f"{plane.available} of {plane.wanted} replicas of {plane.name} run", numbers)


def version_answers(answer: Any, *, version: str) -> Verdict:
    """Whether istiod's own answer to `/version` (decoded JSON or text) is the wanted version."""
    found = istiod.answered_version(answer)
    numbers = {"answered": found or "nothing", "wanted": version}
    if not found:
        return Verdict(VERSION, Result.INCONCLUSIVE, "istiod answered, but not with a version", numbers)
    if found != version:
        return Verdict(VERSION, Result.FAIL, f"istiod says it is {found}, wanted {version}", numbers)
    return Verdict(VERSION, Result.PASS, f"istiod says it is {found}", numbers)


def bundles_set(configurations: Iterable[Obj]) -> Verdict:
    """Whether every webhook that calls istiod has the authority that signs istiod's certificate.

    Without it the API server trusts no answer: pods in the mesh cannot be created, or unchecked objects get in.
    """
    hooks = istiod.webhooks(configurations)
    lacking = sorted({hook.configuration for hook in hooks if not hook.has_bundle})
    kinds = {hook.configuration.split("/")[0] for hook in hooks}
    numbers = {"webhooks": len(hooks), "with_bundle": sum(hook.has_bundle for hook in hooks)}
    if lacking:
        return Verdict(BUNDLES, Result.FAIL, f"no caBundle yet in {_few(lacking)}", numbers)
    absent = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"} - kinds
    if absent:
        return Verdict(BUNDLES, Result.FAIL, f"no {' and no '.join(sorted(absent))} calls istiod", numbers)
    return Verdict(BUNDLES, Result.PASS, f"all {len(hooks)} webhooks of istiod have a caBundle", numbers)


def _established(crd: Obj) -> bool:
    conditions = {item["type"]: item["status"] for item in (crd.get("status") or {}).get("conditions") or []}
    return conditions.get("Established") == "True" and conditions.get("NamesAccepted", "True") == "True"


def _few(names: Collection[str], *, limit: int = 5) -> str:
    shown = ", ".join(list(names)[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
