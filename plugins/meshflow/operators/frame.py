"""What all DAGs share: parameters with a form in the UI, tags, owner, retries, one run at a time.

The DAG itself is made in its file, by name: Airflow looks into files that mention both `airflow` and `dag` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from meshflow import settings
from meshflow.operators.retries import MeshflowRetries

OWNER = "platform"

DEFAULT_ARGS: Mapping[str, Any] = {
    "owner": OWNER,
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_policy": MeshflowRetries(),
}


def common(
    *,
    title: str,
    doc: str | None,
    tags: tuple[str, ...],
    phases: tuple[str, ...] = (),
    params: Mapping[str, Param] | None = None,
    schedule: str | None = None,
) -> dict[str, Any]:
    """The arguments of a DAG with our common ground: `DAG("name", **frame.common(...))`.

    `phases` decide the default of the param `approve`: true if one of them asks for it in mesh.yaml.
    """
    mesh = settings.load()
    approve = any(mesh.phases[phase].approve for phase in phases if phase in mesh.phases)
    return {
        "dag_display_name": title,
        "description": title,
        "doc_md": doc,
        "tags": {"meshflow", *tags},
        "params": {**common_params(list(mesh.clusters), approve=approve), **(params or {})},
        "schedule": schedule,
        "catchup": False,
        "max_active_runs": 1,
        "is_paused_upon_creation": False,
        "default_args": dict(DEFAULT_ARGS),
        "render_template_as_native_obj": True,
    }


def common_params(clusters: list[str], *, approve: bool) -> dict[str, Param]:
    """cluster, dry_run and approve, as every DAG that writes has them."""
    return {
        "cluster": Param(
            clusters[0],
            type="string",
            enum=clusters,
            title="Cluster",
            description="One of the clusters in include/mesh.yaml.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Stop after the plan: nothing is written.",
        ),
        "approve": Param(
            approve,
            type="boolean",
            title="Ask for approval",
            description="A person looks at the plan and lets it through before anything is written.",
        ),
    }
