"""DAG files are parsed every few seconds and once for every task: they must be light, and found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = ("helm_python", "kubernetes_asyncio", "kubernetes", "aiohttp")

NO_NETWORK = """
import json, runpy, socket, sys, time
def refuse(*_): raise AssertionError("a DAG file used the network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
"""


def python(code: str, *arguments: str, **environ: str) -> Any:
    """What a program prints as JSON at its end, run in an interpreter of its own."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}", **environ}
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK + code, *arguments], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def imported() -> dict[str, Any]:
    """{modules, seconds} after all DAG files were executed in one interpreter without a network.

    The seconds are those of the processor: what others do on this machine at the same time does not count.
    """
    code = """
import airflow.sdk
took = {}
for file in sys.argv[1:]:
    began = time.process_time()
    runpy.run_path(file)
    took[file] = time.process_time() - began
print(json.dumps({"modules": sorted(sys.modules), "seconds": took}))
"""
    found: dict[str, Any] = python(code, *map(str, FILES))
    return found


def test_no_file_needs_the_network_helm_or_a_kubernetes_client(imported: dict[str, Any]) -> None:
    roots = {name.partition(".")[0] for name in imported["modules"]}
    assert not roots & {*HEAVY}


def test_no_file_takes_long_once_airflow_is_there(imported: dict[str, Any]) -> None:
    slowest = max(imported["seconds"].items(), key=lambda item: item[1])
    assert slowest[1] < 3, slowest


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_airflow_looks_into_the_file(file: Path) -> None:
    text = file.read_text().lower()
    assert "airflow" in text
    assert "dag" in text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_is_wiring_only(file: Path) -> None:
    assert len(file.read_text().splitlines()) < 100


def test_airflow_skips_the_package_in_the_plugins_folder() -> None:
    assert "meshflow/" in (ROOT / "plugins/.airflowignore").read_text().split()


def test_settings_and_objects_are_there_at_once() -> None:
    code = """
began = time.process_time()
import meshflow.settings, meshflow.objects.reference, meshflow.objects.kinds, meshflow.objects.parsing
print(json.dumps({"seconds": time.process_time() - began, "modules": sorted(sys.modules)}))
"""
    found = python(code)
    assert found["seconds"] < 2
    roots = {name.partition(".")[0] for name in found["modules"]}
    assert not roots & {"airflow", "httpx", *HEAVY}


def test_a_rollout_task_builds_the_one_dag_that_it_needs() -> None:
    code = """
from airflow.sdk import DAG
made = []
init = DAG.__enter__
DAG.__enter__ = lambda self: made.append(self.dag_id) or init(self)
runpy.run_path(sys.argv[1])
print(json.dumps(made))
"""
    file = str(ROOT / "dags/rollout_service.py")
    assert python(code, file, _AIRFLOW_PARSING_CONTEXT_DAG_ID="rollout_frontend") == ["rollout_frontend"]
