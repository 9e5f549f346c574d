"""What dies in the middle is finished by what comes after it, without harm."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.scene import NAMESPACE, PODINFO, Scene, written_by

pytestmark = pytest.mark.airflow

SERVICE = "data-retrieval"
CANCELLED = "session-management"
KAFKA = "rollout_kafka"
EXTRA = "include/manifests/services/kafka/extra.yaml"
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: kafka-%s}
data: {from: a scenario}
---"""


def test_a_triggerer_killed_in_the_middle_of_a_rollout_loses_nothing(mesh: Scene) -> None:
    dag_id, tag = f"rollout_{SERVICE}", f"survivor-{uuid.uuid4().hex[:6]}"
    digest = mesh.push(tag)
    with mesh.slowly():
        run_id = mesh.api.trigger(dag_id, image=tag)
        mesh.reaches(dag_id, run_id, "follow", "deferred")
        mesh.until(lambda: moving(mesh), what="the first weight step")
        before = written(mesh)
        mesh.stack.parts["triggerer"].kill()
        mesh.stack.start_part("triggerer")
    ended = mesh.end(dag_id, run_id)
    assert ended.state == "success", mesh.why(ended)
    decision = mesh.api.xcom(dag_id, run_id, "follow", "outcome")
    assert decision["outcome"] == "succeeded"
    assert mesh.image(f"{SERVICE}-primary") == f"{PODINFO}@{digest}"
    assert written(mesh) == before
    steps = [(step["time"], step["value"]) for step in decision["timeline"] if step["kind"] == "weight"]
    assert len(steps) == len(set(steps)) > 2
    assert mesh.record(ended)["outcome"]["outcome"] == "succeeded"


def moving(mesh: Scene) -> bool:
    """Whether some traffic of the service is on its canary."""
    return 0 < mesh.cluster.weights(NAMESPACE, SERVICE).get(f"{SERVICE}-canary", 0) < 100


def written(mesh: Scene) -> list[tuple[str, str]]:
    """Meshflow's own writes to the workload."""
    return written_by(mesh.deployment(SERVICE))


def test_a_task_killed_in_the_middle_of_an_apply_is_repeated_without_harm(extra: Scene) -> None:
    dag_id, slow = KAFKA, {"verb": "patch", "resource": "configmaps", "name": "kafka-one"}
    with extra.fault("delay", by=5 * extra.stack.speed, **slow):
        run_id = extra.api.trigger(dag_id)
        extra.reaches(dag_id, run_id, "apply", "running")
        victim = extra.task(dag_id, run_id, "apply")["pid"]
        extra.until(lambda: config(extra, "two"), what="the apply to be half done")
        os.kill(victim, signal.SIGKILL)
        assert config(extra, "one") is None
    ended = extra.end(dag_id, run_id)
    assert ended.state == "success", extra.why(ended)
    assert extra.task(dag_id, run_id, "apply")["try_number"] == 2
    assert config(extra, "one")
    assert len(written_by(config(extra, "two"))) == 1


@pytest.fixture
def extra(mesh: Scene) -> Iterator[Scene]:
    """Two objects more for kafka; afterwards they are pruned, and nothing else is touched."""
    file = mesh.stack.home / EXTRA
    file.write_text(CONFIG % "one" + CONFIG % "two")
    yield mesh
    file.unlink()
    there = {f"ConfigMap/{NAMESPACE}/kafka-{name}": "prune" for name in ("one", "two") if config(mesh, name)}
    tidied = mesh.run(KAFKA)
    assert tidied.state == "success", mesh.why(tidied)
    assert mesh.api.xcom(KAFKA, tidied.run_id, "apply")["writes"] == there


def config(mesh: Scene, name: str) -> Any:
    return mesh.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/kafka-{name}")


def test_cancelling_a_run_stops_its_waiting_at_once(mesh: Scene) -> None:
    dag_id, tag = f"rollout_{CANCELLED}", f"cancelled-{uuid.uuid4().hex[:6]}"
    mesh.push(tag)
    run_id = mesh.api.trigger(dag_id, image=tag)
    mesh.reaches(dag_id, run_id, "follow", "deferred")
    mesh.until(lambda: "starting" in mesh.api.log(dag_id, run_id, "follow"), what="the wait to begin")
    mesh.cancel(dag_id, run_id)
    mesh.until(
        lambda: "Trigger cancelled by user action" in mesh.api.log(dag_id, run_id, "follow"),
        what="the wait to end",
    )
    follow = mesh.task(dag_id, run_id, "follow")
    assert (follow["state"], follow["trigger"]) == ("failed", None)
    mesh.until(lambda: mesh.canary(CANCELLED)["status"]["phase"] == "Succeeded", what="Flagger to end its analysis")
