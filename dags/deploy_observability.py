"""### Deploy the observability stack

Prometheus, Grafana with two dashboards (mesh overview, rollouts), and Kiali, from the charts pinned in
`include/mesh.yaml`. They stay behind the API server; NodePorts are an option in the values files. Kiali's and Grafana's
logins are in Kubernetes Secrets.

| task | what it does | when it fails |
|---|---|---|
| render, plan, approve, apply | the charts and our dashboards | as in *Install Istio* |
| gates | Prometheus is ready and scrapes, Grafana and its datasource are healthy, Kiali answers | the gate says which, and what it saw |
| record | the run's record, also after a failure | the store is not writable |
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
    "deploy_observability",
    **frame.common(
        title="Deploy the observability stack",
        doc=__doc__,
        tags=("phase", "observability"),
        phases=("observability",),
    ),
):
    render = Render(task_id="render", bundles=["observability"])
    plan = PlanTask(task_id="plan")
    approve = ApprovePlan(task_id="approve")
    apply = Apply(task_id="apply", bundle="observability")
    gates = GateSensor(task_id="gates", gates="observability")
    record = Record.of_run(chain="observability", gates=["gates"])

    render >> plan >> approve >> apply >> gates >> record
