"""Who is logged in, and what of the records they may read: what they may read of the DAG that wrote them."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user

__all__ = ["GetUserDep", "get_user", "may_read"]


def may_read(user: BaseUser, dag_id: str) -> bool:
    """Whether the user may see the runs of the DAG."""
    return get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
    )
