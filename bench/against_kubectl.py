"""Applying a set for the first time, and planning it once nothing has to change."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml

from bench.cluster import Obj, desired, objects, requests
from bench.comparison import Comparison, Measured
from meshflow.clients.kube import Kube, kube_from_config
from meshflow.engine import applier, planner
from meshflow.engine.planner import SetRules
from tools.cluster_api import ClusterApi

COUNT = 300
SECONDS = 60  # the longest that one command may take


async def compare(api: ClusterApi, folder: Path) -> list[Comparison]:
    """First our side, then kubectl's, each in a namespace of its own."""
    ours, theirs = objects("ours", COUNT), objects("theirs", COUNT)
    async with kube_from_config(folder / "kubeconfig", cluster="bench") as kube:
        await kube.kinds()
        applied = await _measured(api, lambda: _apply(kube, ours))
        planned = await _measured(api, lambda: _plan(kube, ours))
    kubectl = Kubectl(folder, theirs)
    return [
        Comparison(
            f"apply {COUNT} new objects",
            "kubectl apply --server-side",
            applied,
            kubectl.measured(api, "apply", "--server-side"),
            kubectl.missing,
        ),
        Comparison(
            f"find that {COUNT} objects are unchanged",
            "kubectl diff --server-side",
            planned,
            kubectl.measured(api, "diff", "--server-side"),
            kubectl.missing,
        ),
    ]


class Kubectl:
    """The kubectl of this machine on one file, its discovery cache filled before it is timed."""

    missing = "no kubectl on the PATH"

    def __init__(self, folder: Path, objs: list[Obj]) -> None:
        self._file = folder / "objects.yaml"
        self._file.write_text(yaml.safe_dump_all(objs))
        self._path = shutil.which("kubectl")
        self._env = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
        if self._path:
            self._run("api-resources")

    def measured(self, api: ClusterApi, *words: str) -> Measured | None:
        """One command on the file; None without kubectl. RuntimeError when it fails, or finds a difference."""
        if not self._path:
            return None
        before, began = requests(api), time.perf_counter()
        self._run(*words, "-f", str(self._file))
        return Measured(time.perf_counter() - began, requests(api) - before)

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [str(self._path), *words], env=self._env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"kubectl {words[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")


async def _measured(api: ClusterApi, work: Callable[[], Awaitable[None]]) -> Measured:
    before, began = requests(api), time.perf_counter()
    await work()
    return Measured(time.perf_counter() - began, requests(api) - before)


async def _apply(kube: Kube, objs: list[Obj]) -> None:
    wanted = desired(objs)
    plan = await planner.plan(kube, wanted, SetRules("bench"))

    async def settled(_stage: object) -> None:
        return None

    await applier.run(kube, wanted, plan, settled=settled)


async def _plan(kube: Kube, objs: list[Obj]) -> None:
    plan = await planner.plan(kube, desired(objs), SetRules("bench"))
    if plan.changed:
        raise RuntimeError(f"planning what was applied should find nothing, and found {plan.counts()}")
