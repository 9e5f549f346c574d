"""### Roll back a service

Rolls a service out again with a digest that its records say succeeded before: the one before the present one, or the
one that is given. It goes through the service's own rollout DAG, so it is analysed, followed and recorded like any
release, and waits its turn behind a running one. A quarantine does not hold it up: whoever rolls back knows what of.

| task | what it does | when it fails |
|---|---|---|
| choose | reads the records of the service and picks the digest | no earlier success is recorded: name a digest |
| rollout | triggers the rollout of that digest and waits for its end | the rollout failed: its own run says why |
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param

from meshflow import settings
from meshflow.operators import frame
from meshflow.operators.rollback import ChooseRollback

SERVICES = settings.service_names()

with DAG(
    "rollback_service",
    **frame.common(
        title="Roll back a service",
        doc=__doc__,
        tags=("rollout", "rollback"),
        params={
            "service": Param(
                SERVICES[0] if SERVICES else "",
                type="string",
                enum=SERVICES or [""],
                title="Service",
                description="The service that goes back.",
            ),
            "image": Param(
                None,
                type=["null", "string"],  # without null the form insists on a value
                title="Image",
                description="A digest or tag. Empty: what ran before the present release.",
            ),
            "reason": Param(
                None,
                type=["null", "string"],
                maxLength=500,
                title="Reason",
                description="Why; it stands in the record.",
            ),
        },
    ),
):
    choose = ChooseRollback(task_id="choose")
    rollout = TriggerDagRunOperator(
        task_id="rollout",
        trigger_dag_id="rollout_{{ params.service }}",
        conf="{{ ti.xcom_pull(task_ids='choose') }}",  # whole: a tag such as 6.10 must not be read as a number
        retries=0,  # the rollout retries by itself; its failure is the answer
        wait_for_completion=True,
        deferrable=True,
        poke_interval=2,
    )

    choose >> rollout
