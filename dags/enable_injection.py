"""### Enable sidecar injection

Labels the namespaces under `injection` in `include/mesh.yaml`, finds the workloads whose pods lack the wanted proxy
(missing, of an older version, or of another revision; both container lists are looked at) and restarts them in batches.

| task | what it does | when it fails |
|---|---|---|
| render, plan, approve, apply | the namespaces and their labels | as in *Install Istio* |
| restart | batches of workloads, each waited for until it is healthy, never below a workload's own availability bound | the first unhealthy batch stops it: workloads after it were not touched |
| gates | every pod that should has a ready proxy of the control plane's version | the pods are named |
| record | the run's record, also after a failure | the store is not writable |

Jobs, bare pods and sets with `OnDelete` are reported, not restarted. A second run restarts only what still needs it.
"""

from airflow.sdk import DAG

from meshflow.operators import frame
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.plan import PlanTask
from meshflow.operators.record import Record
from meshflow.operators.render import Render
from meshflow.operators.restart import Restart
from meshflow.sensors.gates import GateSensor

with DAG(
    "enable_injection",
    **frame.common(
        title="Enable sidecar injection",
        doc=__doc__,
        tags=("phase", "injection"),
        phases=("injection",),
    ),
):
    render = Render(task_id="render", bundles=["injection"])
    plan = PlanTask(task_id="plan")
    approve = ApprovePlan(task_id="approve")
    apply = Apply(task_id="apply", bundle="injection")
    restart = Restart(task_id="restart")
    gates = GateSensor(task_id="gates", gates="injection")
    record = Record.of_run(chain="injection", parts={"restart": "restart"}, gates=["gates"])

    render >> plan >> approve >> apply >> restart >> gates >> record
