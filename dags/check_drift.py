"""### Check for drift

Holds every phase and every service against the cluster, on a schedule (`drift.schedule` in `include/mesh.yaml`).

| task | what it does | when it fails |
|---|---|---|
| render | all phases and services → objects | as in *Install Istio* |
| detect | object by object, field by field: what differs, and who changed it when; then what that means for the mesh (mTLS, sidecars, where traffic goes) | the cluster does not answer |
| remediate | with `remediate` on, writes what is declared, over the heads of other managers | the cluster refused a write, or STRICT would break a caller that was seen: that is for *Gateways and mutual TLS* |
| judge | fails when drift was found and not repaired, or something could not be compared | this is the finding itself: the report is in its log |
| record | the report, also after a failure | the store is not writable |

Fields that others own by design (webhook caBundles, replicas of an autoscaler, what Flagger writes) are not drift; the
rules with their reasons stand in `plugins/meshflow/plan/ignore.py`.
"""

from airflow.sdk import DAG, Param

from meshflow import settings
from meshflow.operators import bundles, frame
from meshflow.operators.drift import Detect, Judge, Remediate
from meshflow.operators.record import Record
from meshflow.operators.render import Render

MESH = settings.load()
EVERYTHING = [*MESH.phases, *(bundles.of_service(name) for name in settings.service_names())]

with DAG(
    "check_drift",
    **frame.common(
        title="Check for drift",
        doc=__doc__,
        tags=("drift",),
        schedule=MESH.drift.schedule,
        params={
            "remediate": Param(
                False,
                type="boolean",
                title="Repair",
                description="Write what is declared, also over fields that another manager took.",
            ),
            "approve": Param(
                False,
                type="boolean",
                title="Ask for approval",
                description="Nobody is asked here: a repair is refused with it. Run the phase that drifted, which asks.",
            ),
        },
    ),
):
    render = Render(task_id="render", bundles=EVERYTHING)
    detect = Detect(task_id="detect")
    remediate = Remediate(task_id="remediate")
    judge = Judge(task_id="judge")
    record = Record.of_run(chain="drift", parts={"drift": "detect", "remediation": "remediate"})

    render >> detect >> remediate >> judge >> record
