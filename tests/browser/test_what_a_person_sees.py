"""What somebody on call does in Airflow's UI, by clicking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.scenarios.scene import Ended, Scene

CONFIG = "/api/v1/namespaces/flagger-system/configmaps/browser"


@pytest.fixture
def change(mesh: Scene) -> Iterator[None]:
    """One ConfigMap more in the phase flagger than is applied; taken away again afterwards."""
    file = mesh.stack.home / "include/manifests/flagger/browser.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: browser, namespace: flagger-system}\n")
    yield
    file.unlink()
    for run in mesh.api.runs("deploy_flagger"):
        if run["state"] not in ("success", "failed"):
            mesh.cancel("deploy_flagger", run["dag_run_id"])
    if mesh.cluster.get(CONFIG):
        mesh.run("deploy_flagger")


def form(page: Page, dag_id: str) -> Locator:
    """The form that the button Trigger opens."""
    page.goto(f"/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").first.click()
    return page.locator("[role=dialog][data-state=open]")


def test_the_form_explains_every_parameter(page: Page, mesh: Scene) -> None:
    params = mesh.api.get("dags/rollout_frontend/details")["params"]
    dialog = form(page, "rollout_frontend")
    for name, param in params.items():
        assert param["description"], name
        expect(dialog.get_by_text(param["description"])).to_be_visible()
    expect(dialog.get_by_role("button", name="Trigger")).to_be_enabled()


def test_what_was_typed_wrong_is_said_in_the_log_two_clicks_away(page: Page, mesh: Scene) -> None:
    dialog = form(page, "rollout_frontend")
    dialog.locator("[name=element_image]").fill("no-such-tag")
    expect(dialog.get_by_role("button", name="Trigger")).to_be_enabled()
    before = {run["dag_run_id"] for run in mesh.api.runs("rollout_frontend")}
    dialog.get_by_role("button", name="Trigger").click()
    (run,) = mesh.until(
        lambda: [run for run in mesh.api.runs("rollout_frontend") if run["dag_run_id"] not in before],
        what="the run that was started",
    )
    assert run["conf"]["image"] == "no-such-tag"
    ended = mesh.end("rollout_frontend", run["dag_run_id"])
    assert ended.state == "failed"
    page.goto("/dags/rollout_frontend")
    page.locator(f"a[href='{place(ended, 'request')}']").first.click()
    expect(page.get_by_text("has no tag no-such-tag").first).to_be_visible()


def test_how_a_release_went_is_told_in_the_log_of_follow(page: Page, mesh: Scene) -> None:
    dag_id = "rollout_frontend"
    runs = [run["dag_run_id"] for run in mesh.api.runs(dag_id)]
    outcomes = {run_id: mesh.api.xcom(dag_id, run_id, "follow", "outcome") for run_id in runs}
    run_id, outcome = next(item for item in outcomes.items() if item[1])
    page.goto(f"/dags/{dag_id}")
    page.locator(f"a[href='{place(Ended(dag_id, run_id, ''), 'follow')}']").first.click()
    expect(page.get_by_text(outcome["message"]).first).to_be_visible()


@pytest.mark.usefixtures("change")
def test_a_plan_is_read_and_approved_by_a_click(page: Page, mesh: Scene) -> None:
    run_id = mesh.asked("deploy_flagger")
    page.goto("/required_actions")
    mine = page.locator(f"a[href*='{run_id}']")  # questions of other scenarios are listed too
    page.get_by_role("link", name="Apply this plan? (Deploy Flagger)").and_(mine).click()
    expect(page.get_by_text("ConfigMap/flagger-system/browser create").first).to_be_visible()
    assert mesh.cluster.get(CONFIG) is None
    page.get_by_role("button", name="Approve", exact=True).click()
    ended = mesh.end("deploy_flagger", run_id)
    assert ended.state == "success", mesh.why(ended)
    assert mesh.cluster.get(CONFIG)


def place(ended: Ended, task_id: str) -> str:
    """Where the UI shows a task of a run."""
    return f"/dags/{ended.dag_id}/runs/{ended.run_id}/tasks/{task_id}"
