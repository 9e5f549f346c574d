"""Waiting for many objects: one hub against a watch for each. Both run in a process of their own, for its memory.

`python -m bench.against_watches hub|watches KUBECONFIG` is such a process; it prints seconds and megabytes. What the
watches cost is mostly 400 TLS connections, of which the sandbox, in Python, makes some dozens a second at best.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from bench.cluster import ROOT, environment, requests
from bench.comparison import Comparison, Measured
from meshflow.objects.reference import Reference
from tools.cluster_api import ClusterApi

COUNT = 400
NAMESPACE = "waits"
SECONDS = 90  # the longest that one side may take


def compare(api: ClusterApi, folder: Path) -> list[Comparison]:
    """Until every waiter has seen its object."""
    api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for name in names():
        api.create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", {"metadata": {"name": name}, "data": {"a": name}})
    hub = _measured(api, "hub", folder)
    try:
        watches = _measured(api, "watches", folder)
    except subprocess.TimeoutExpired:
        watches = None
    return [
        Comparison(f"{COUNT} waits", "a kubernetes_asyncio watch each", hub, watches, f"not done after {SECONDS} s")
    ]


def names() -> list[str]:
    """The ConfigMaps that are waited for."""
    return [f"wait-{number:03}" for number in range(COUNT)]


def _measured(api: ClusterApi, side: str, folder: Path) -> Measured:
    before = requests(api)
    command = [sys.executable, "-m", "bench.against_watches", side, str(folder / "kubeconfig")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True
    )
    found = json.loads(done.stdout)
    return Measured(found["seconds"], requests(api) - before, found["megabytes"])


async def by_hub(kubeconfig: str) -> None:
    """All by one WatchHub, as the triggerer does."""
    from meshflow.clients.kube import kube_from_config
    from meshflow.clients.watch import WatchHub

    hub = WatchHub(lambda: kube_from_config(kubeconfig))

    async def wait(name: str) -> None:
        async for seen in hub.follow([Reference("", "ConfigMap", NAMESPACE, name)]):
            if seen.obj:
                return

    try:
        await asyncio.gather(*(wait(name) for name in names()))
    finally:
        await hub.close()


async def by_watches(kubeconfig: str) -> None:
    """Each by a watch of its own on its object, on one client."""
    from kubernetes_asyncio import client, config, watch

    configuration = client.Configuration()
    await config.load_kube_config(kubeconfig, client_configuration=configuration)
    configuration.connection_pool_maxsize = COUNT
    all_seen = asyncio.Barrier(COUNT)  # every watch stays open until the last one has seen its object
    async with client.ApiClient(configuration) as api_client:
        listing = client.CoreV1Api(api_client).list_namespaced_config_map

        async def wait(name: str) -> None:
            async with watch.Watch().stream(listing, NAMESPACE, field_selector=f"metadata.name={name}") as events:
                async for _event in events:
                    await all_seen.wait()
                    return

        await asyncio.gather(*(wait(name) for name in names()))


SIDES: Mapping[str, Callable[[str], Awaitable[None]]] = {"hub": by_hub, "watches": by_watches}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def _timed(work: Callable[[str], Awaitable[None]], kubeconfig: str) -> dict[str, float]:
    import resource

    import kubernetes_asyncio.client
    import kubernetes_asyncio.config
    import kubernetes_asyncio.watch  # noqa: F401 - both sides' libraries are loaded before anything is measured

    import meshflow.clients.watch  # noqa: F401

    before, began = _resident(), time.perf_counter()
    await work(kubeconfig)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"seconds": time.perf_counter() - began, "megabytes": max(most - before, 0.1)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_timed(SIDES[sys.argv[1]], sys.argv[2]))))
