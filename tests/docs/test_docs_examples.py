"""The examples in the documents work: they parse, they load, they render, they run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshflow import settings
from meshflow.mesh import strategy
from meshflow.mesh.strategy import Strategy
from meshflow.release import record
from meshflow.sources import render
from tests.conftest import ROOT
from tests.docs import documents
from tests.docs.documents import Example


def of_file(prefix: str) -> list[Example]:
    return [example for example in documents.examples("yaml") if example.file.startswith(prefix)]


@pytest.mark.parametrize("example", documents.examples("sh"), ids=str)
def test_commands_are_well_formed(example: Example) -> None:
    done = subprocess.run(["bash", "-n"], input=example.text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", documents.examples("yaml"), ids=str)
def test_yaml_can_be_read(example: Example) -> None:
    assert [document for document in yaml.safe_load_all(example.text) if document]


@pytest.mark.parametrize("example", of_file("include/mesh.yaml"), ids=str)
def test_pieces_of_mesh_yaml_are_taken(example: Example, tmp_path: Path) -> None:
    whole = yaml.safe_load(documents.text("include/mesh.yaml"))
    file = tmp_path / "mesh.yaml"
    file.write_text(yaml.safe_dump(_merged(whole, yaml.safe_load(example.text))))
    settings.load(file, environ={})


def _merged(base: Any, piece: Any) -> Any:
    if isinstance(base, dict) and isinstance(piece, dict):
        return {**base, **{key: _merged(base.get(key), value) for key, value in piece.items()}}
    return piece


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return documents.checkout(tmp_path)


@pytest.mark.parametrize(("service", "expected"), [("forecast", "canary"), ("archive", "plain-blue-green")])
def test_a_service_from_the_guide_renders_and_is_released_as_it_says(
    checkout: Path, service: str, expected: str
) -> None:
    mesh = settings.load(checkout / "include" / "mesh.yaml", environ={})
    objects = [item.obj for item in render.service(mesh, service).objects]
    assert strategy.of(objects) == expected


@pytest.mark.parametrize("example", [e for e in of_file(documents.SERVICES) if e.path], ids=str)
def test_a_piece_of_a_canary_gives_the_strategy_that_its_heading_names(example: Example, checkout: Path) -> None:
    canary = yaml.safe_load((checkout / example.file).read_text())
    canary["spec"]["analysis"] = {
        "metrics": canary["spec"]["analysis"]["metrics"],
        **yaml.safe_load(example.text)["analysis"],
    }
    (checkout / example.file).write_text(yaml.safe_dump(canary))
    mesh = settings.load(checkout / "include" / "mesh.yaml", environ={})
    expected = Strategy.AB if "match:" in example.text else Strategy.BLUE_GREEN
    assert strategy.of(item.obj for item in render.service(mesh, "forecast").objects) is expected


def verification() -> str:
    """The command of operations.md that verifies the records."""
    (found,) = [e.text for e in documents.examples("sh") if "record.verify" in e.text]
    return found


@pytest.mark.parametrize(("change", "code", "says"), [(False, 0, "2 records hold"), (True, 1, "record 1: changed")])
def test_the_command_that_verifies_records_tells_a_whole_chain_from_a_changed_one(
    tmp_path: Path, change: bool, code: int, says: str
) -> None:
    chain = tmp_path / "records" / "istio"
    first = record.append(chain, {"run": "one", "outcome": "fine"})
    record.append(chain, {"run": "two"})
    if change:
        first.path.write_text(first.path.read_text().replace("fine", "other"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    env = {**os.environ, "MESHFLOW_HOME": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", verification()], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, says in done.stdout) == (code, True), done.stdout + done.stderr
