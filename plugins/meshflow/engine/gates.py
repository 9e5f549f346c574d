"""The gates by name. What each group looks at is in `questions`; the pure rules that judge it in `meshflow.gates`.

A question that an add-on did not answer is the verdict `error` of that gate and ends none of the others. When the
cluster itself does not answer, that is raised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from meshflow.clients.kube import Kube
from meshflow.engine.questions import (
    evidence,
    flagger,
    gateway,
    injection,
    istio,
    mtls,
    observability,
    preflight,
    traffic,
    verification,
)
from meshflow.engine.questions.asking import Options
from meshflow.errors import InvalidInput, MeshflowError
from meshflow.gates import model
from meshflow.gates.model import Verdict, Verdicts
from meshflow.settings import Mesh


async def evaluate(kube: Kube, mesh: Mesh, name: str, options: Options) -> Verdicts:
    """Ask the gates of that name. InvalidInput for a name that is not in `GATES`; Unreachable when nobody answers."""
    if name not in GATES:
        raise InvalidInput(
            "no such gates", where="parameter", field="gates", value=name, way_out=f"Use {', '.join(GATES)}"
        )
    return Verdicts.of(await GATES[name](kube, mesh, options))


def could_not_ask(name: str, problem: MeshflowError) -> Verdicts:
    """The verdict of a whole round that met a cluster that does not answer."""
    return Verdicts.of(model.error(name, problem))


GATES: Mapping[str, Callable[[Kube, Mesh, Options], Awaitable[list[Verdict]]]] = {
    "istio": istio.ask,
    "injection": injection.ask,
    "gateway": gateway.ask,
    "mtls_evidence": evidence.ask,
    "mtls": mtls.ask,
    "observability": observability.ask,
    "flagger": flagger.ask,
    "preflight": preflight.ask,
    "traffic": traffic.ask,
    "verify_observability": verification.ask,
}
"""Name → gates. The names are those of the phases, and of what stands between them."""
