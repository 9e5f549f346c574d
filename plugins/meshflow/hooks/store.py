"""What runs leave on disk: rendered bundles, full plans and the chain of records, below `$MESHFLOW_HOME`.

    bundles/<sha256>.json          what was rendered, by the digest of its content
    plans/<run>/<name>.txt         the whole diff, where XCom and log hold a shortened one
    records/<chain>/NNNNNN-<run>.json

A worker elsewhere may not see the bundle that another one wrote. It then renders again, and the digest tells whether
that gave the same objects. Records belong on a shared or backed-up volume: they are the audit trail.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from meshflow import files

UNSAFE = re.compile(r"[^A-Za-z0-9_.+~-]")


def home() -> Path:
    """`$MESHFLOW_HOME`, or `meshflow` in Airflow's home."""
    if configured := os.environ.get("MESHFLOW_HOME"):
        return Path(configured)
    airflow_home = Path(os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow")
    return airflow_home / "meshflow"


def bundle(digest: str) -> Path:
    """Where the rendered objects with this sha256 are kept."""
    return home() / "bundles" / f"{digest}.json"


def plan_text(run_id: str, name: str) -> Path:
    """Where the whole diff of one plan of a run is kept."""
    return home() / "plans" / safe(run_id) / f"{safe(name)}.txt"


def records(chain: str) -> Path:
    """The folder of one chain of records: a phase or a service."""
    return home() / "records" / safe(chain)


def safe(name: str) -> str:
    """A name as one path component."""
    return UNSAFE.sub("_", name).lstrip(".") or "_"


def write_text(path: Path, text: str) -> Path:
    """Write a file whole or not at all, and return its path."""
    return files.write(path, text.encode())
