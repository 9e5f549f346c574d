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
    return {
        "dag_display_name": title,
        "description": _first_sentence(doc) or title,
        "doc_md": doc,
        "tags": {"meshflow", *tags},
        "params": _form(params or {}, common_params(list(mesh.clusters), approve=asks(*phases))),
        "schedule": schedule,
        "catchup": False,
        "max_active_runs": 1,
        "is_paused_upon_creation": False,
        "default_args": dict(DEFAULT_ARGS),
        "render_template_as_native_obj": True,
    }


def asks(*phases: str) -> bool:
    """Whether mesh.yaml wants a person to read the plan of one of these phases."""
    declared = settings.load().phases
    return any(declared[phase].approve for phase in phases if phase in declared)


def _first_sentence(doc: str | None) -> str:
    """What the list of DAGs shows beside the title: the first sentence below the heading."""
    text = " ".join((doc or "").partition("\n\n")[2].partition("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".:").replace("`", "")


def _form(own: Mapping[str, Param], shared: Mapping[str, Param]) -> dict[str, Param]:
    """What a DAG is about comes first in its form; it may say of a shared parameter what that means there."""
    return {**own, **{name: param for name, param in shared.items() if name not in own}}


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
