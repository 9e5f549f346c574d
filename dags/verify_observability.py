"""### Verify observability

Proves that what is watched can be seen, with the numbers as evidence. Writes nothing to the cluster.

| task | what it does | when it fails |
|---|---|---|
| gates | Prometheus ready and its targets up, `istio_requests_total` fresh for every service, Grafana and its datasource healthy, Kiali sees the graph and mTLS | the gate says what it saw; *inconclusive* means there was no data, *error* that nobody could be asked |
| record | the evidence, also after a failure | the store is not writable |
"""

from airflow.sdk import DAG, Param

from meshflow.operators import frame
from meshflow.operators.record import Record
from meshflow.sensors.gates import GateSensor

with DAG(
    "verify_observability",
    **frame.common(
        title="Verify observability",
        doc=__doc__,
        tags=("verify", "observability"),
        params={
            "dry_run": Param(
                False,
                type="boolean",
                title="Dry run",
                description="Look at nothing, as after a dry run of the other pipelines. Nothing is written either way.",
            ),
            "approve": Param(
                False,
                type="boolean",
                title="Ask for approval",
                description="Nobody is asked here: nothing is written.",
            ),
        },
    ),
):
    gates = GateSensor(task_id="gates", gates="verify_observability")
    record = Record.of_run(chain="verify", gates=["gates"])

    gates >> record
