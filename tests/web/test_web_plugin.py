"""The plugin is loaded by every process of Airflow, so it must cost nothing there, and fit what Airflow reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fastapi import FastAPI

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
LOOK = """
import sys
from meshflow_plugin import MeshflowPlugin
print(sorted(name for name in ("fastapi", "jinja2", "meshflow", "kubernetes_asyncio") if name in sys.modules and
    name not in before))
"""


def test_loading_the_plugin_loads_neither_fastapi_nor_meshflow() -> None:
    code = "import sys\nimport airflow.plugins_manager\nbefore = set(sys.modules)\n" + LOOK
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=PLUGINS, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_application_is_mounted_where_the_navigation_points() -> None:
    from meshflow_plugin import MeshflowPlugin

    plugin = MeshflowPlugin()
    (mounted,) = plugin.fastapi_apps
    assert isinstance(mounted["app"], FastAPI)
    (view,) = plugin.external_views
    assert f"/{view['href']}".startswith(mounted["url_prefix"])
    paths = {route.path for route in mounted["app"].routes}
    assert paths == {"/hooks/{registry}", "/records", "/records/{chain}", "/records/{chain}/{number}"}


def test_the_plugin_folder_hides_the_package_from_airflows_scan() -> None:
    assert "meshflow/" in (PLUGINS / ".airflowignore").read_text().splitlines()
