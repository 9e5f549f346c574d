"""### Gateways and mutual TLS

First the ingress and egress gateways with the hosts outside the mesh, then mutual TLS: PERMISSIVE, evidence, STRICT.

| task | what it does | when it fails |
|---|---|---|
| render, plan, approve | both phases in their final state, gateways and STRICT | as in *Install Istio* |
| apply_gateways | gateways, service entries, egress routes | a gateway does not become ready |
| check_gateways | the gateway has an address and answers; its URL is in the log and the XCom `gateway_url` | no address, or no answer there |
| permit | PERMISSIVE, on a mesh that is not STRICT yet; otherwise nothing | as *apply* |
| evidence | what would break under STRICT: plaintext traffic seen, clients without a proxy, probes, headless services | the findings are named, and the mesh stays PERMISSIVE |
| enforce | STRICT, authorization and network policies | as *apply* |
| gates | effective mTLS of every workload and port, by Istio's precedence | the workload, the port and the deciding policy are named |
| record | the run's record, also after a failure | the store is not writable |

**If traffic breaks after `enforce`**: `docs/operations.md` has the commands that take STRICT, authorization and network
policies back; a plain edit would make the next run stop at a conflict.
"""

from datetime import timedelta

from airflow.sdk import DAG

from meshflow.operators import frame
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.permit import Permit
from meshflow.operators.plan import PlanTask
from meshflow.operators.record import Record
from meshflow.operators.render import Render
from meshflow.sensors.gates import GateSensor

with DAG(
    "secure_mesh",
    **frame.common(
        title="Gateways and mutual TLS",
        doc=__doc__,
        tags=("phase", "gateway", "mtls"),
        phases=("gateway", "mtls"),
    ),
):
    render = Render(task_id="render", bundles=["gateway", "mtls"])
    plan = PlanTask(task_id="plan")
    approve = ApprovePlan(task_id="approve")
    apply_gateways = Apply(task_id="apply_gateways", bundle="gateway")
    check_gateways = GateSensor(
        task_id="check_gateways", gates="gateway", publish={"gateway_url": ("gateway.address", "url")}
    )
    permit = Permit(task_id="permit", bundle="mtls@permissive")
    evidence = GateSensor(task_id="evidence", gates="mtls_evidence", patience=timedelta(minutes=2))
    enforce = Apply(task_id="enforce", bundle="mtls", steps=["permit"])
    gates = GateSensor(task_id="gates", gates="mtls")
    record = Record.of_run(
        chain="secure",
        parts={"apply_gateways": "apply_gateways", "permit": "permit", "apply": "enforce"},
        gates=["check_gateways", "evidence", "gates"],
    )

    render >> plan >> approve >> apply_gateways >> check_gateways >> permit >> evidence >> enforce >> gates >> record
