"""A push to the registry becomes a rollout by itself, and only one, however often the registry says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.scenarios.scene import Ended, Scene

pytestmark = pytest.mark.airflow

FILE = "include/mesh.yaml"
FOLLOWED = "pushed-*"


@pytest.fixture
def subscribed(mesh: Scene) -> Iterator[Scene]:
    """The registry tells Airflow of pushes; of all services frontend alone follows the tags of this scenario."""
    declared = yaml.safe_load((mesh.stack.home / FILE).read_text())
    declared["services"] |= {"tags": "nothing", "overrides": {"frontend": {"tags": FOLLOWED}}}
    with mesh.changed(FILE, yaml.safe_dump(declared, sort_keys=False)):
        mesh.stack.subscribe()
        yield mesh
        mesh.cluster.control("DELETE", "subscribers", {})


def deliver(scene: Scene, payload: Any, *, secret: str) -> httpx.Response:
    """What a registry sends, by hand."""
    return httpx.post(
        f"{scene.stack.url}/meshflow/hooks/distribution",
        content=json.dumps(payload),
        headers={"Authorization": f"Bearer {secret}"},
        timeout=30,
    )


def envelope(tag: str, digest: str) -> dict[str, Any]:
    target = {"repository": "stefanprodan/podinfo", "tag": tag, "digest": digest}
    return {"events": [{"action": "push", "target": target, "request": {"host": "ghcr.io"}}]}


def runs(scene: Scene, digest: str) -> list[dict[str, Any]]:
    return [item for item in scene.api.runs("rollout_frontend") if digest in str(item["conf"])]


def test_a_push_is_rolled_out_once_for_two_deliveries(subscribed: Scene) -> None:
    scene, tag = subscribed, "pushed-1"
    digest = scene.push(tag)
    (run,) = scene.until(lambda: runs(scene, digest), what="the rollout of the push")
    again = deliver(scene, envelope(tag, digest), secret=scene.stack.webhook_secret)
    (told,) = again.json()["services"]
    assert (again.status_code, told["result"], told["run"]) == (200, "already known", run["dag_run_id"])

    ended = scene.end("rollout_frontend", run["dag_run_id"])
    assert ended.state == "success", scene.why(ended)
    assert len(runs(scene, digest)) == 1
    assert run["dag_run_id"] == f"rollout__frontend__{digest.removeprefix('sha256:')[:12]}"
    assert run["triggering_user_name"] == "webhook:distribution"
    assert scene.image("frontend-primary").endswith(digest)
    record = scene.record(ended)
    assert record["outcome"]["outcome"] == "succeeded"
    assert record["request"]["requested_by"] == "push:distribution"
    the_pages_show(scene, ended)


def the_pages_show(scene: Scene, ended: Ended) -> None:
    """The record is on the audit page of whoever is logged in, and of nobody else."""
    assert httpx.get(f"{scene.stack.url}/meshflow/records", timeout=30).status_code == 401
    assert "service-frontend" in scene.api.page("meshflow/records")
    chain = scene.api.page("meshflow/records/service-frontend")
    assert ended.run_id in chain
    assert "does not hold" not in chain


def test_who_does_not_know_the_secret_starts_no_rollout(subscribed: Scene) -> None:
    digest = f"sha256:{'e' * 64}"
    assert deliver(subscribed, envelope("pushed-2", digest), secret="guessed").status_code == 401
    assert runs(subscribed, digest) == []


def test_airflow_loads_the_plugin_without_a_complaint(scene: Scene) -> None:
    assert scene.api.get("plugins/importErrors")["import_errors"] == []
    (plugin,) = [item for item in scene.api.get("plugins")["plugins"] if item["name"] == "meshflow"]
    assert [view["name"] for view in plugin["external_views"]] == ["Mesh records"]


def test_a_push_supersedes_an_analysis_that_runs(subscribed: Scene) -> None:
    scene = subscribed
    declared = yaml.safe_load((scene.stack.home / FILE).read_text())
    declared["services"]["overrides"]["frontend"]["policy"] = "supersede"
    with scene.changed(FILE, yaml.safe_dump(declared, sort_keys=False)):
        first = scene.push("pushed-3")
        (older,) = scene.until(lambda: runs(scene, first), what="the rollout of the first push")
        scene.reaches("rollout_frontend", older["dag_run_id"], "follow", "deferred")
        scene.until(lambda: scene.canary("frontend")["status"]["phase"] == "Progressing", what="its analysis")
        second = scene.push("pushed-4")
        (newer,) = scene.until(lambda: runs(scene, second), what="the rollout of the second push")
    ended = scene.end("rollout_frontend", older["dag_run_id"])
    assert ended.state == "failed"
    assert scene.record(ended)["outcome"] == {
        "outcome": "superseded",
        "message": f"the push of {newer['dag_run_id']} took its place",
        "timeline": [],
    }
    last = scene.end("rollout_frontend", newer["dag_run_id"])
    assert last.state == "success", scene.why(last)
    assert scene.image("frontend-primary").endswith(second)
