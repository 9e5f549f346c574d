"""### Roll out a service

Puts an image before the users of a service and follows it until it is promoted or rolled back. One run at a time, in
the order in which they were asked for. A push that is delivered twice is one rollout.

| task | what it does | when it fails |
|---|---|---|
| request | the image as a digest; nothing is touched before | unknown tag, registry not reachable, malformed image |
| preflight | the digest never failed here, control plane healthy, no other analysis running, sidecar present | the gate says what stands against it: nothing was changed |
| render, plan, apply | the manifests of the service, without the image of a running release | as in *Install Istio* |
| approve | with *Ask for approval* a person sees the image and the plan first | it was rejected: nothing was written |
| release | the image by digest, as field manager `meshflow-release` | the cluster refused it |
| follow | the canary by watch; every weight step and failed check with its numbers | see the outcome below |
| record | the run's record with the whole timeline, also after a failure | the store is not writable |

| outcome | where traffic is | what to do |
|---|---|---|
| succeeded, skipped | on the primary, which runs the digest | nothing |
| rolled_back | on the primary, which runs the previous digest | read which check failed; push a mended image |
| failed_on_canary | **on the canary** | act now: put the primary back (`kubectl rollout undo`), then *Roll back a service*; `docs/operations.md` has the commands |
| superseded, aborted | as the later revision says | nothing, or look at who stopped it |
| wedged, unknown | not known | look at Flagger's log and the Canary's events |

A digest that was rolled back, or failed on the canary, is in **quarantine** on that cluster: the preflight refuses it
when it comes again. To roll it out all the same, because the cause was somewhere else, trigger this DAG with it and
*Release it again* (`force`): the new release id makes Flagger analyse it anew. If it succeeds the quarantine is over.
"""

from airflow.sdk import DAG, Param, get_parsing_context

from meshflow import settings
from meshflow.operators import bundles, frame
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.plan import PlanTask
from meshflow.operators.record import Record
from meshflow.operators.render import Render
from meshflow.operators.rollout import AcceptRequest, Follow, SetImage
from meshflow.sensors.rollout import Preflight

PARAMS = {
    "image": Param(
        None,
        type=["null", "string"],  # without null the form insists on a value
        title="Image",
        description="A tag, a digest (sha256:…), or the whole image. Empty: the manifest's image on a first "
        "installation, afterwards only the manifests are applied.",
    ),
    "reason": Param(
        None, type=["null", "string"], maxLength=500, title="Reason", description="Why; it stands in the record."
    ),
    "requested_by": Param(
        None,
        type=["null", "string"],
        title="Requested by",
        description="Who or what asks. Empty: the user who triggers the run.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Release it again",
        description="Let a digest through that failed on this cluster before and is in quarantine since.",
    ),
    "supersede": Param(
        False,
        type="boolean",
        title="Replace a running analysis",
        description="Do not wait until the Canary is idle: its analysis begins again, with this image. A promotion is "
        "waited for all the same.",
    ),
}


def rollout_dag(service: str) -> None:
    """The rollout DAG of one service."""
    bundle = bundles.of_service(service)
    with DAG(
        f"rollout_{service}",
        **frame.common(title=f"Roll out {service}", doc=__doc__, tags=("rollout", service), params=PARAMS),
    ):
        request = AcceptRequest(task_id="request", service=service)
        preflight = Preflight(task_id="preflight", service=service)
        render = Render(task_id="render", bundles=[bundle])
        plan = PlanTask(task_id="plan", request_task="request")
        approve = ApprovePlan(task_id="approve", request_task="request")
        apply = Apply(task_id="apply", bundle=bundle, request_task="request", wait=False)
        release = SetImage(task_id="release", service=service)
        follow = Follow(task_id="follow", service=service)
        record = Record.of_run(
            chain=bundle, parts={"request": "request", "release": "release"}, gates=["preflight"], outcome="follow"
        )

        request >> preflight >> render >> plan >> approve >> apply >> release >> follow >> record


wanted = get_parsing_context().dag_id
for name in settings.service_names():
    if wanted in (None, f"rollout_{name}"):
        rollout_dag(name)
