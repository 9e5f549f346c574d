"""`make lock`: fill the lock file of the charts from the repositories (or the mirror) in use.

    PYTHONPATH=plugins python -m tools.lock [--mesh FILE]

MESHFLOW_CHART_MIRROR and MESHFLOW_CHARTS_LOCK are honoured as everywhere. Logins come from Airflow connections; outside
of Airflow those are the ones in the environment (AIRFLOW_CONN_…). What changes is printed, so that it can be read
before it is committed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from meshflow import settings
from meshflow.clients import charts, web
from meshflow.errors import MeshflowError


def main() -> int:
    parser = argparse.ArgumentParser(description="Lock the sha256 of every chart that mesh.yaml names.")
    parser.add_argument("--mesh", type=Path, help="the mesh.yaml to read (default: $MESHFLOW_MESH, include/mesh.yaml)")
    arguments = parser.parse_args()
    try:
        mesh = settings.load(arguments.mesh)
        store = charts.ChartStore(mesh.charts, logins=_logins(mesh))
        before = store.locked()
        after = store.lock(charts.wanted(mesh))
    except MeshflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for pin, digest in after.items():
        print(f"{digest[:12]}  {pin}  {_change(before.get(pin), digest)}")
    print(f"{mesh.charts.lock}: {len(after)} charts")
    return 0


def _logins(mesh: settings.Mesh) -> web.Logins:
    if not mesh.logins:  # nobody waits for Airflow's import for nothing
        return web.nobody
    from meshflow.hooks import logins

    return logins.of(mesh)


def _change(before: str | None, after: str) -> str:
    if before is None:
        return "new"
    return "unchanged" if before == after else f"CHANGED, was {before[:12]}"


if __name__ == "__main__":
    sys.exit(main())
