"""A second bootstrap of the same cluster writes nothing, and says so of every object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.scenarios.scene import Ended, Obj, Scene, written_by

pytestmark = pytest.mark.airflow

APPLIES = ("apply", "apply_gateways", "permit", "enforce")


class Again(NamedTuple):
    """The second bootstrap: its run, and the cluster before and after it."""

    run: Ended
    before: Mapping[str, Obj]
    after: Mapping[str, Obj]
    writes: int


@pytest.fixture(scope="module")
def again(mesh: Scene) -> Again:
    mesh.rest()
    counted, before = mesh.writes(), mesh.inventory()
    run = mesh.run("bootstrap_mesh")
    return Again(run, before, mesh.inventory(), mesh.writes() - counted)


def test_it_succeeds(again: Again, mesh: Scene) -> None:
    assert again.run.state == "success", mesh.why(again.run)


def test_the_server_counted_no_write_of_meshflow(again: Again) -> None:
    assert again.writes == 0


def test_no_object_of_the_inventories_moved(again: Again) -> None:
    assert len(again.before) > 100
    assert None not in again.before.values()
    assert contents(again.after) == contents(again.before)


def test_what_nobody_else_writes_to_has_the_same_resource_version(again: Again) -> None:
    """Controllers write the status of some, and istiod its bundle, whenever they like."""
    versions = {line: obj["metadata"]["resourceVersion"] for line, obj in again.before.items() if ours_alone(obj)}
    assert len(versions) > 50
    assert {line: again.after[line]["metadata"]["resourceVersion"] for line in versions} == versions


def ours_alone(obj: Obj) -> bool:
    """Whether Meshflow is the only one that ever wrote to an object."""
    return all(entry["manager"].startswith("meshflow") for entry in obj["metadata"].get("managedFields", []))


def contents(objects: Mapping[str, Obj]) -> dict[str, tuple[Obj, ...]]:
    """Everything but what controllers write at any time, and with it when Meshflow wrote."""
    theirs = {"status": None, "metadata": None}
    return {
        line: (obj | theirs, obj["metadata"] | {"resourceVersion": "", "managedFields": written_by(obj)})
        for line, obj in objects.items()
    }


def test_every_phase_and_service_says_unchanged_of_every_object(again: Again, mesh: Scene) -> None:
    said: dict[str, Any] = {}
    for dag_id, run_id in triggered(again.run, mesh).items():
        for task in APPLIES:
            if result := mesh.api.xcom(dag_id, run_id, task):
                said[f"{dag_id}.{task}"] = (result["writes"], {*result["counts"]} - {"unchanged"})
    assert len(said) >= 14
    assert set(map(str, said.values())) == {str(({}, set()))}, said


def triggered(run: Ended, mesh: Scene) -> dict[str, str]:
    """dag id → run id of what the bootstrap ran."""
    found = {}
    for task in mesh.api.tasks(run.dag_id, run.run_id):
        name = task.removeprefix("services.")
        dag_id = f"rollout_{name}" if task != name else name
        found[dag_id] = mesh.api.xcom(run.dag_id, run.run_id, task, "trigger_run_id")
    return found
