"""### Install Istio

Renders the charts `base` and `istiod` (and `cni` where `istio.cni` is true) at the version in `include/mesh.yaml`,
shows what would change, applies it stage by stage and waits until it is healthy.

| task | what it does | when it fails |
|---|---|---|
| render | charts and values → objects; asks no cluster | a typo in a value, or a chart that differs from `charts.lock`: the log names file, line and field |
| plan | objects against the cluster; writes nothing | the cluster does not answer, or refuses us |
| approve | a person lets the plan through, if `approve` is on | the plan was rejected: nothing was written |
| apply | CRDs and namespaces, then istiod, then webhooks | another manager owns a field (its name and the time are in the log), or istiod does not become ready |
| gates | CRDs established, istiod available, its version answers, webhook caBundles set | the evidence is in the log and the XCom |
| record | the run's record, also after a failure | the store is not writable |

**Safe to repeat**: a run on an unchanged mesh writes nothing; clearing a failed task goes on where it stopped.
**While istiod is down** pods in injected namespaces cannot be created: if `apply` failed there, look at the pods of
`istio-system` first.
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
    "install_istio", **frame.common(title="Install Istio", doc=__doc__, tags=("phase", "istio"), phases=("istio",))
):
    render = Render(task_id="render", bundles=["istio"])
    plan = PlanTask(task_id="plan")
    approve = ApprovePlan(task_id="approve")
    apply = Apply(task_id="apply", bundle="istio")
    gates = GateSensor(task_id="gates", gates="istio")
    record = Record.of_run(chain="istio", gates=["gates"])

    render >> plan >> approve >> apply >> gates >> record
