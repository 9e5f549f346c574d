"""A release, from the request to its outcome, and who owns the image meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput

from meshflow import errors
from meshflow.operators.apply import Apply
from meshflow.operators.approve import ApprovePlan
from meshflow.operators.drift import Detect
from meshflow.operators.plan import PlanTask
from meshflow.operators.render import Render
from meshflow.operators.rollout import AcceptRequest, Follow, SetImage, full_image
from tests.operators.harness import Run, World, deployment

REPOSITORY = "ghcr.io/acme/web"
CANARY = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": "web"},
    "spec": {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 2, "maxWeight": 50, "stepWeight": 25},
    },
}
Push = Callable[[str], str]


@pytest.fixture
def push(world: World) -> Push:
    """Push a tag of the service's image; returns the image by digest."""

    def pushed(tag: str) -> str:
        found = world.cluster.control("POST", "push", {"image": f"{REPOSITORY}:{tag}"})
        return f"{REPOSITORY}@{found['digest']}"

    return pushed


@pytest.fixture
def service(world: World, push: Push) -> World:
    """A service `web` whose manifest starts from tag 1."""
    push("1")
    world.phases["istio"] = {"sources": []}
    world.service("web", [deployment("web", world.namespace, image=f"{REPOSITORY}:1")])
    return world


def request(run: Run) -> Any:
    return run.execute(AcceptRequest(task_id="request", service="web", cluster="default"))


def plan(run: Run) -> Any:
    run.execute(Render(task_id="render", bundles=["service-web"], cluster="default"))
    return run.execute(PlanTask(task_id="plan", request_task="request", cluster="default"))


def apply(run: Run) -> Any:
    return run.execute(
        Apply(task_id="apply", bundle="service-web", request_task="request", wait=False, cluster="default")
    )


def release(run: Run) -> Any:
    return run.execute(SetImage(task_id="release", service="web", cluster="default"))


def follow(run: Run) -> Any:
    return run.execute(Follow(task_id="follow", service="web", cluster="default"))


def rollout(run: Run) -> Any:
    """All tasks of the DAG that write or wait."""
    request(run)
    plan(run)
    apply(run)
    release(run)
    return follow(run)


def image(world: World) -> str:
    live = world.live("apps/v1/deployments", "web")
    assert live
    return str(live["spec"]["template"]["spec"]["containers"][0].get("image"))


def owners(world: World) -> set[str]:
    """The managers that own the image of the container `main`."""
    live = world.live("apps/v1/deployments", "web")
    assert live
    path = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"main"}')
    found = set()
    for entry in live["metadata"]["managedFields"]:
        fields = entry["fieldsV1"]
        for step in path:
            fields = fields.get(step, {})
        if "f:image" in fields:
            found.add(entry["manager"])
    return found


def test_a_first_installation_starts_from_the_manifests_image_by_digest(service: World, push: Push) -> None:
    outcome = rollout(Run("first"))
    assert outcome["outcome"] == "succeeded"
    assert image(service) == push("1")
    assert owners(service) == {"meshflow-release"}


def approval(**kwargs: Any) -> ApprovePlan:
    return ApprovePlan(task_id="approve", request_task="request", **kwargs)


def asked_with(run: Run, task: ApprovePlan, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text that the person sees who is asked."""
    asked: list[str] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **detail: asked.append(detail["body"]))
    context = {**run.context(task), "task_instance": SimpleNamespace(id="1")}
    task.render_template_fields(context)
    with pytest.raises(TaskAwaitingInput):
        task.execute(context)
    return asked[0]


def test_a_release_is_approved_though_no_manifest_changes(
    service: World, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is what a person who asks for approval means, and it is not part of the plan."""
    rollout(Run("first"))
    push("2")
    run = Run("second", image="2", approve=True, reason="better", requested_by="bob")
    request(run)
    assert plan(run)["changed"] is False
    asked = asked_with(run, approval(), monkeypatch)
    assert f"Release `{REPOSITORY}:2@sha256:" in asked
    assert "asked for by bob: better" in asked
    assert "Cluster **default**" in asked
    assert "```diff" in asked


def test_a_first_installation_is_approved_with_the_image_that_it_starts_from(
    service: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run("first", approve=True)
    request(run)
    plan(run)
    asked = asked_with(run, approval(), monkeypatch)
    assert asked.startswith(f"Cluster **default**\n\nRelease `{REPOSITORY}:1@sha256:"), asked
    assert asked_with(run, ApprovePlan(task_id="approve"), monkeypatch).startswith("Cluster **default**\n\n```diff")


def test_who_asks_for_no_image_is_asked_nothing(service: World) -> None:
    rollout(Run("first"))
    run = Run("second", approve=True)
    request(run)
    plan(run)
    assert run.execute(approval()) == {"decision": "nothing to approve"}


def test_a_second_release_changes_the_image_and_nothing_else(service: World, push: Push) -> None:
    rollout(Run("first"))
    pinned, run = push("2"), Run("second", image="2", reason="better", requested_by="bob")
    assert request(run)["pinned"] == pinned
    assert plan(run)["changed"] is False
    assert apply(run)["writes"] == {}
    release(run)
    assert image(service) == pinned
    assert follow(run)["outcome"] == "succeeded"
    assert owners(service) == {"meshflow-release"}


def test_a_run_that_died_between_apply_and_release_is_finished_by_the_next(service: World, push: Push) -> None:
    died = Run("died")
    request(died)
    plan(died)
    apply(died)
    assert image(service) == push("1")
    outcome = rollout(Run("next"))
    assert outcome["outcome"] == "succeeded"
    assert (image(service), owners(service)) == (push("1"), {"meshflow-release"})


def test_the_manifests_never_take_the_image_away_while_only_they_own_it(service: World, push: Push) -> None:
    died = Run("died")
    request(died)
    plan(died)
    apply(died)
    again = Run("manifests-only")
    again.xcoms["request", "return_value"] = {"pinned": None, "release_id": "", "image": None}
    assert plan(again)["changed"] is False
    apply(again)
    assert image(service) == push("1")


def test_a_repeated_release_writes_nothing_new(service: World, push: Push) -> None:
    rollout(Run("first"))
    push("2")
    run = Run("second", image="2")
    request(run)
    release(run)
    generation = (service.live("apps/v1/deployments", "web") or {})["metadata"]["generation"]
    release(run)  # the task again, as after a crash
    live = service.live("apps/v1/deployments", "web") or {}
    assert live["metadata"]["generation"] == generation


def test_a_drift_check_never_takes_a_release_back(service: World, push: Push) -> None:
    rollout(Run("first"))
    pinned, run = push("2"), Run("second", image="2")
    rollout(run)
    check = Run("check")
    check.execute(Render(task_id="render", bundles=["service-web"], cluster="default"))
    report = check.execute(Detect(task_id="detect", cluster="default"))
    assert report["drift"] == []
    assert image(service) == pinned


def test_what_runs_already_is_not_released_again(service: World, push: Push) -> None:
    rollout(Run("first", image="1"))
    before = service.writes()
    run = Run("second", image="1")
    request(run)
    plan(run)
    apply(run)
    assert release(run) is None
    assert service.writes() == before
    assert follow(run)["outcome"] == "skipped"


def test_without_an_image_the_manifests_alone_are_applied(service: World) -> None:
    rollout(Run("first"))
    run = Run("second")
    assert request(run)["pinned"] is None
    assert release(run) is None
    assert follow(run)["outcome"] == "skipped"


def test_what_the_primary_runs_already_is_not_released_again(service: World, push: Push) -> None:
    canary = {**CANARY, "metadata": {"name": "web", "namespace": service.namespace}}
    service.service("web", [deployment("web", service.namespace, image=f"{REPOSITORY}:1"), canary])
    first = Run("first")
    request(first)
    plan(first)
    apply(first)
    assert release(first)["canary"] == "web"
    primary = deployment("web-primary", service.namespace, image=push("1"))
    service.cluster.create(f"/apis/apps/v1/namespaces/{service.namespace}/deployments", primary)
    run = Run("second", image="1")
    request(run)
    assert release(run) is None


def test_a_workload_that_does_not_become_healthy_is_an_outcome_too(service: World, push: Push) -> None:
    rollout(Run("first"))
    push("2")
    run = Run("second", image="2")
    request(run)
    release(run)
    task = Follow(task_id="follow", service="web", cluster="default")
    event = {"status": "degraded", "waiting": [], "broken": ["Deployment/web: CrashLoopBackOff"]}
    with pytest.raises(errors.Degraded, match="CrashLoopBackOff"):
        task.resume(run.context(task), event)
    assert run.xcoms["follow", "outcome"]["outcome"] == "wedged"
    assert "CrashLoopBackOff" in run.xcoms["follow", "outcome"]["message"]


def failed_promotion(service: World, push: Push) -> None:
    """Tag 1 is on the target, and on a primary that never got ready: Flagger left traffic on the canary."""
    canary = {**CANARY, "metadata": {"name": "watcher", "namespace": service.namespace}}
    canary["spec"] = {**CANARY["spec"], "service": {"name": "shop", "port": 80}}
    service.service("web", [deployment("web", service.namespace, image=f"{REPOSITORY}:1"), canary])
    first = Run("first")
    request(first)
    plan(first)
    apply(first)
    found = release(first)
    assert (found["canary"], found["routes"]) == ("watcher", "shop")
    primary = deployment("web-primary", service.namespace, image=push("1"))
    service.cluster.create(f"/apis/apps/v1/namespaces/{service.namespace}/deployments", primary)
    path = f"/apis/flagger.app/v1beta1/namespaces/{service.namespace}/canaries/watcher/status"
    status = {"phase": "Failed", "lastAppliedSpec": "a", "canaryWeight": 100, "failedChecks": 0, "iterations": 0}
    service.cluster.merge(path, {"status": status}, manager="flagger")
    parts = [("primary", 0), ("canary", 100)]
    route = [{"destination": {"host": f"shop-{side}"}, "weight": weight} for side, weight in parts]
    virtual_service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "shop", "namespace": service.namespace},
        "spec": {"hosts": ["shop"], "http": [{"route": route}]},
    }
    service.cluster.create(
        f"/apis/networking.istio.io/v1/namespaces/{service.namespace}/virtualservices", virtual_service
    )


def test_a_run_that_releases_nothing_is_not_green_while_traffic_is_on_the_canary(service: World, push: Push) -> None:
    failed_promotion(service, push)
    run = Run("second")
    request(run)
    assert release(run) is None
    with pytest.raises(errors.Permanent, match=r"failed_on_canary: web: nothing was released now.*100% canary"):
        follow(run)
    assert run.xcoms["follow", "outcome"]["outcome"] == "failed_on_canary"


def test_what_a_failed_promotion_left_on_the_primary_is_released_again(service: World, push: Push) -> None:
    failed_promotion(service, push)
    run = Run("second", image="1")
    request(run)
    assert release(run)["release"]["release_id"] == "second"


def test_an_image_that_somebody_changed_meanwhile_is_no_success(service: World, push: Push) -> None:
    rollout(Run("first"))
    push("2")
    run = Run("second", image="2")
    request(run)
    plan(run)
    apply(run)
    release(run)
    path = f"/apis/apps/v1/namespaces/{service.namespace}/deployments/web"
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"{REPOSITORY}:hotfix"}]}}}}
    service.cluster.merge(path, patch, manager="kubectl-edit")
    with pytest.raises(errors.Permanent, match="superseded: web: the workload runs another image"):
        follow(run)


def test_the_canary_before_the_first_write_is_remembered_for_a_retry(service: World, push: Push) -> None:
    canary = {**CANARY, "metadata": {"name": "web", "namespace": service.namespace}}
    service.service("web", [deployment("web", service.namespace, image=f"{REPOSITORY}:1"), canary])
    first = Run("first")
    request(first)
    plan(first)
    apply(first)
    release(first)
    push("2")
    status = {"phase": "Succeeded", "lastAppliedSpec": "aaa", "lastPromotedSpec": "aaa", "canaryWeight": 0}
    path = f"/apis/flagger.app/v1beta1/namespaces/{service.namespace}/canaries/web/status"
    status |= {"failedChecks": 0, "iterations": 0}
    service.cluster.merge(path, {"status": status}, manager="flagger")
    run = Run("second", image="2")
    request(run)
    before = release(run)["release"]
    service.cluster.merge(path, {"status": {"lastAppliedSpec": "bbb"}}, manager="flagger")
    again = release(run)["release"]
    assert before == again


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("2.0", f"{REPOSITORY}:2.0"),
        ("sha256:" + "a" * 64, f"{REPOSITORY}@sha256:" + "a" * 64),
        ("ghcr.io/other/web:3", "ghcr.io/other/web:3"),
        ("localhost:5000/web@sha256:" + "b" * 64, "localhost:5000/web@sha256:" + "b" * 64),
    ],
)
def test_a_person_may_name_a_tag_a_digest_or_the_whole_image(asked: str, found: str) -> None:
    assert full_image(asked, repository=f"{REPOSITORY}:1") == found


def test_an_unknown_tag_is_one_sentence_and_changes_nothing(service: World) -> None:
    before, run = service.writes(), Run(image="no-such-tag")
    with pytest.raises(errors.NotFound, match="no-such-tag"):
        request(run)
    assert service.writes() == before
    assert "no-such-tag" in run.failure("request")


def test_an_unknown_service_is_one_sentence_with_the_known_ones(service: World) -> None:
    run = Run()
    with pytest.raises(errors.InvalidInput, match=r"no such service.*Known are web"):
        run.execute(AcceptRequest(task_id="request", service="wbe", cluster="default"))


def test_a_registry_that_does_not_answer_is_worth_another_try(service: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHFLOW_REGISTRY_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(errors.Unreachable, match=r"127\.0\.0\.1:9"):
        request(Run(image="1"))
