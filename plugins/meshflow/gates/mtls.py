"""May the mesh take mutual TLS only, and does it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from meshflow.gates.model import Result, Verdict
from meshflow.mesh.evidence import Finding
from meshflow.mesh.mtls import OTHERS, Conflict, Effective, Mode

EVIDENCE, EFFECTIVE, CLIENTS = "mtls.evidence", "mtls.effective", "mtls.clients"


def evidence(
    findings: Iterable[Finding],
    *,
    workloads: int,
    requests: float | None,
    strict: int = 0,
    silent: Collection[str] = (),
) -> Verdict:
    """Whether anything speaks against STRICT.

    `workloads` is how many pods behind proxies there are, besides the gateways, that take plain text now; `strict` how
    many do not. `requests` is how many the mesh carried by mutual TLS in the window (None: nobody could be asked, or
    there was no sample). No finding without traffic proves nothing, so that is inconclusive, unless there is no
    workload that could break. `silent` are workloads that nobody was seen to call: nothing speaks against them, and
    nothing for them.
    """
    found = list(findings)
    kinds = Counter(finding.kind.value for finding in found)
    known = requests is not None and requests > 0
    numbers = {
        "workloads": workloads,
        "strict": strict,
        "mutual_tls_requests": requests if requests is not None else "none",
        "silent": len(silent),
        **kinds,
    }
    blocking = [finding for finding in found if finding.blocks]
    if blocking:
        first = "; ".join(str(finding) for finding in blocking[:3])
        more = f" and {len(blocking) - 3} more" if len(blocking) > 3 else ""
        return Verdict(EVIDENCE, Result.FAIL, f"STRICT would break: {first}{more}", numbers)
    if not workloads:
        reason = f"all {strict} pods take mutual TLS only already" if strict else _NOBODY
        return Verdict(EVIDENCE, Result.PASS, reason, numbers)
    if not known:
        reason = "no traffic was seen, so nothing proves that callers use mutual TLS"
        return Verdict(EVIDENCE, Result.INCONCLUSIVE, reason, numbers)
    unseen = f"; nobody was seen to call {_few(silent)}" if silent else ""
    reason = f"{requests:.0f} requests by mutual TLS and none in plain text{unseen}"
    return Verdict(EVIDENCE, Result.PASS, reason, numbers)


_NOBODY = "no workload is in the mesh yet that STRICT could break"


def blind(findings: Iterable[Finding], *, workloads: int, why: str) -> Verdict:
    """The same while Prometheus does not answer: what the objects say, and else that traffic has to be seen first."""
    seen = evidence(findings, workloads=workloads, requests=None)
    if seen.result is Result.FAIL:
        return seen
    reason = (
        f"{workloads} pods are in the mesh, and Prometheus cannot say whether their callers use mutual TLS ({why}). "
        "The mesh stays PERMISSIVE; run deploy_observability, let some traffic pass, then run this again"
    )
    return Verdict(EVIDENCE, Result.ERROR, reason, seen.numbers)


def effective(
    answers: Mapping[str, Sequence[Effective]], *, wanted: Mode = Mode.STRICT, exceptions: Iterable[str] = ()
) -> Verdict:
    """Whether every workload and port has the wanted mode. `answers` is by workload.

    Ports that nobody declared count like the others: a process may listen there. `exceptions` are `workload:port`,
    each a deliberate hole: they are counted, not failed.
    """
    allowed = set(exceptions)
    ports = [(_named(workload, item), item) for workload, items in sorted(answers.items()) for item in items]
    weaker = [(name, item) for name, item in ports if item.mode is not wanted and name not in allowed]
    declared = [item for _, item in ports if item.port != OTHERS]
    modes = Counter(item.mode.value for item in declared)
    numbers = {"workloads": len(answers), "ports": len(declared), **modes, "exceptions": len(allowed)}
    if weaker:
        first = "; ".join(f"{name} is {item.mode.value} by {item.decided_by}" for name, item in weaker[:3])
        more = f" and {len(weaker) - 3} more" if len(weaker) > 3 else ""
        return Verdict(EFFECTIVE, Result.FAIL, f"{len(weaker)} ports are not {wanted.value}: {first}{more}", numbers)
    if not ports:
        return Verdict(EFFECTIVE, Result.INCONCLUSIVE, "there is no port to judge", numbers)
    deciding = sorted({item.decided_by for _, item in ports})
    reason = f"all {len(declared)} ports of {len(answers)} workloads are {wanted.value}, by {', '.join(deciding[:3])}"
    return Verdict(EFFECTIVE, Result.PASS, reason, numbers)


def clients(conflicts: Sequence[Conflict], *, rules: int) -> Verdict:
    """Whether any DestinationRule makes clients speak what their server refuses."""
    numbers = {"rules": rules, "conflicts": len(conflicts)}
    if conflicts:
        first = "; ".join(f"{item.rule} for {item.host}: {item.message}" for item in conflicts[:3])
        return Verdict(CLIENTS, Result.FAIL, first, numbers)
    return Verdict(CLIENTS, Result.PASS, f"none of {rules} DestinationRules contradicts its server", numbers)


def _named(workload: str, item: Effective) -> str:
    return f"{workload}:{'other ports' if item.port == OTHERS else item.port}"


def _few(names: Collection[str], *, limit: int = 5) -> str:
    shown = ", ".join(sorted(names)[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
