"""### Bootstrap the mesh

Everything in order, from an empty cluster to a meshed application: each phase as a run of its own DAG, then a first
installation of every service, then the proof that all of it can be seen.

```
istio → injection → gateways and mTLS → observability → Flagger → services → verify
```

A phase that fails stops the ones after it; its own run says why. **Safe to repeat**: on a mesh that is as declared every
phase says `unchanged` and nothing is written. Clearing a failed task starts that phase again and goes on from there.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, TaskGroup

from meshflow import settings
from meshflow.operators import frame


def run(dag_id: str, *phases: str, task_id: str | None = None) -> TriggerDagRunOperator:
    """A run of another DAG with the same parameters, waited for; it asks, too, where mesh.yaml wants that of its phases."""
    return TriggerDagRunOperator(
        task_id=task_id or dag_id,
        trigger_dag_id=dag_id,
        conf={
            "cluster": "{{ params.cluster }}",
            "dry_run": "{{ params.dry_run }}",
            "approve": frame.asks(*phases) or "{{ params.approve }}",
            "requested_by": "bootstrap_mesh",
        },
        retries=0,  # the tasks of that run retry by themselves; its failure is the answer
        wait_for_completion=True,
        deferrable=True,
        poke_interval=1,
    )


with DAG("bootstrap_mesh", **frame.common(title="Bootstrap the mesh", doc=__doc__, tags=("bootstrap",))):
    phases = [
        run("install_istio", "istio"),
        run("enable_injection", "injection"),
        run("secure_mesh", "gateway", "mtls"),
        run("deploy_observability", "observability"),
        run("deploy_flagger", "flagger"),
    ]
    with TaskGroup("services") as services:
        for service in settings.service_names():
            run(f"rollout_{service}", task_id=service)
    verify = run("verify_observability")

    for earlier, later in zip(phases, phases[1:], strict=False):
        earlier >> later
    phases[-1] >> services >> verify
