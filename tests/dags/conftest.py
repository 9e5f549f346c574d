"""The DAGs as Airflow's own loader finds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"


@pytest.fixture(scope="session")
def dags() -> Mapping[str, DAG]:
    """All DAGs by id, as the project ships."""
    return loaded()


def loaded() -> Mapping[str, DAG]:
    """All DAGs by id, by the loader that the dag-processor uses."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS, safe_mode=True)
    assert bag.import_errors == {}
    found: Mapping[str, DAG] = bag.dags
    return found
