"""### Deploy Flagger

Flagger's CRDs first, then the controller and its load tester, from the charts pinned in `include/mesh.yaml`.

| task | what it does | when it fails |
|---|---|---|
| render, plan, approve, apply | CRDs, controller, load tester | as in *Install Istio* |
| gates | the controller is available and connected to Prometheus | the gate says what it saw |
| record | the run's record, also after a failure | the store is not writable |

**Never delete the CRD `canaries.flagger.app` by hand**: Flagger then deletes the primaries and the routes it made.
Meshflow does not prune CRDs.
"""

from airflow.sdk import DAG

from meshflow.operators import frame
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.plan import PlanTask
from meshflow.operators.record import Record
from meshflow.operators.render import Render
from meshflow.sensors.gates import GateSensor

with DAG(
    "deploy_flagger",
    **frame.common(title="Deploy Flagger", doc=__doc__, tags=("phase", "flagger"), phases=("flagger",)),
):
    render = Render(task_id="render", bundles=["flagger"])
    plan = PlanTask(task_id="plan")
    approve = ApprovePlan(task_id="approve")
    apply = Apply(task_id="apply", bundle="flagger")
    gates = GateSensor(task_id="gates", gates="flagger")
    record = Record.of_run(chain="flagger", gates=["gates"])

    render >> plan >> approve >> apply >> gates >> record
