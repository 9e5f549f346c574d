"""May this release start? Asked before anything is written. And between releases: is traffic where it belongs?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshflow.gates.model import Number, Result, Verdict
from meshflow.mesh import injection
from meshflow.mesh.blue_green import readiness
from meshflow.mesh.observation import State, names, skips_analysis, state_of
from meshflow.mesh.weights import weights
from meshflow.objects.reference import Obj
from meshflow.release.request import DIGEST

IDLE, SIDECAR, RESOLVED, QUARANTINE = "rollout.canary_idle", "rollout.sidecar", "rollout.digest", "rollout.quarantine"
TRAFFIC, PRIMARY = "rollout.traffic", "rollout.primary"

BUSY = frozenset({State.STARTING, State.ASKING, State.ANALYSING, State.PROMOTING, State.DELETED, State.STRANGE})


def digest_resolved(digest: str | None, *, image: str) -> Verdict:
    """Whether the image is known by its digest."""
    if digest is None or not DIGEST.fullmatch(digest):
        return Verdict(RESOLVED, Result.FAIL, f"{image} was not resolved to a digest", {"digest": digest or "none"})
    return Verdict(RESOLVED, Result.PASS, f"{image.partition('@')[0]} is {digest[:19]}…", {"digest": digest})


REPLACEABLE = frozenset({State.ASKING, State.ANALYSING})
"""What a later release may take the place of: Flagger then begins again, with all traffic on the primary."""


def canary_idle(canary: Obj | None, *, watched: bool = True, supersede: bool = False) -> Verdict:
    """Whether no other rollout of the service runs. No Canary at all is right before the first installation.

    `watched` says whether its manifests have one. `supersede` lets the release take the place of an analysis; never of
    a promotion, during which Flagger looks at no new revision.
    """
    if not watched:
        return Verdict(IDLE, Result.PASS, "no Canary watches the service", {"phase": "none"})
    if canary is None:
        return Verdict(IDLE, Result.PASS, "there is no Canary yet: this is a first installation", {"phase": "none"})
    phase = str((canary.get("status") or {}).get("phase", ""))
    numbers: dict[str, Number] = {"phase": phase or "none"}
    if (canary.get("spec") or {}).get("suspend"):
        return Verdict(IDLE, Result.FAIL, "the Canary is suspended: set spec.suspend to false", numbers)
    if supersede and state_of(canary) in REPLACEABLE:
        return Verdict(IDLE, Result.PASS, f"the Canary is {phase}: this release takes its place", numbers)
    if state_of(canary) in BUSY:
        return Verdict(IDLE, Result.FAIL, f"the Canary is busy: {phase or 'not initialised yet'}", numbers)
    return Verdict(IDLE, Result.PASS, f"the Canary is {phase}", numbers)


def primary_ready(canary: Obj | None, primary: Obj | None) -> Verdict:
    """Whether Flagger can take a new revision: it looks at the primary first, by this rule.

    Meeting one that is not ready it never analyses the revision; and one whose time is over, as after a promotion that
    failed, gets all of the traffic while the canary, which served, is scaled to nothing.
    """
    if canary is None or primary is None or skips_analysis(canary):
        return Verdict(PRIMARY, Result.PASS, "Flagger does not ask for a primary that is ready")
    state = readiness(primary)
    if state.ready:
        return Verdict(PRIMARY, Result.PASS, f"the primary is ready: {state.message}")
    name, namespace = primary["metadata"]["name"], primary["metadata"].get("namespace", "")
    way_out = f"kubectl -n {namespace} rollout undo deployment/{name}"
    reason = f"the primary is not ready ({state.message}), and Flagger would send it all of the traffic"
    return Verdict(PRIMARY, Result.FAIL, f"{reason}: mend it first, after a failed promotion with {way_out}")


def sidecar_present(namespace: Obj | None, template: Obj, *, pods: Iterable[Obj] = ()) -> Verdict:
    """Whether new pods get a proxy, and those that run have one. Without it Flagger has no numbers to judge by."""
    if namespace is None:
        return Verdict(SIDECAR, Result.FAIL, "the namespace is not there")
    want = injection.wanted(namespace, template)
    if not want.inject:
        return Verdict(SIDECAR, Result.FAIL, f"new pods would get no proxy: {want.why}")
    running = [pod for pod in pods if injection.alive(pod)]
    without = sorted(pod["metadata"]["name"] for pod in running if injection.proxy_of(pod) is None)
    numbers: dict[str, Number] = {"pods": len(running), "without": len(without)}
    if without:
        return Verdict(SIDECAR, Result.FAIL, f"no proxy in {', '.join(without[:3])}: run enable_injection", numbers)
    return Verdict(SIDECAR, Result.PASS, f"new pods get a proxy by {want.why}", numbers)


def not_quarantined(reason: str | None, *, force: bool = False) -> Verdict:
    """Whether the digest may come back (release.quarantine.blocked says why not)."""
    if reason and not force:
        return Verdict(
            QUARANTINE, Result.FAIL, f"{reason}. Start it with Release it again (force) if the cause was elsewhere"
        )
    return Verdict(QUARANTINE, Result.PASS, f"forced, though {reason}" if reason else "the digest never failed here")


def traffic(canaries: Iterable[Obj], *, routes: Mapping[tuple[str, str], Obj]) -> Verdict:
    """Whether all traffic of the services that nobody releases is on their primaries.

    `routes` are the VirtualServices by namespace and name. A canary that failed in its promotion keeps the traffic, and
    Flagger leaves weights alone that somebody edits between two releases.
    """
    astray, idle, moving = [], 0, 0
    for canary in canaries:
        if state_of(canary) in BUSY:
            moving += 1
            continue
        idle += 1
        namespace, service = canary["metadata"].get("namespace", ""), names(canary).service
        split = weights(routes.get((namespace, service)), service=service)
        if split is not None and split.canary:
            astray.append(f"{namespace}/{service} ({split})")
    numbers: dict[str, Number] = {"canaries": idle + moving, "moving": moving, "astray": len(astray)}
    if astray:
        return Verdict(
            TRAFFIC, Result.FAIL, f"nothing is released, and traffic is on {', '.join(sorted(astray))}", numbers
        )
    return Verdict(TRAFFIC, Result.PASS, f"traffic of {idle} services is on their primaries", numbers)
