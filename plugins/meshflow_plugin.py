"""What Meshflow adds to Airflow: the image-push webhook and the audit pages.

This file is imported by every process of Airflow, each task included, so it imports nothing but Airflow's own base
class. The application is made when the API server asks for it.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin


class MeshflowPlugin(AirflowPlugin):
    """The application below /meshflow, and its entry in the navigation."""

    name = "meshflow"
    external_views = [
        {
            "name": "Mesh records",
            "href": "meshflow/records",
            "destination": "nav",
            "url_route": "mesh-records",
            "category": "browse",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow reads it, never writes it
        """Evaluated in the API server only; nobody else pays for importing FastAPI."""
        from meshflow.web.app import create

        return [{"app": create(), "url_prefix": "/meshflow", "name": "Meshflow"}]
