"""The pure packages stay pure: whoever only decides needs neither Airflow nor a network library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"
PURE = ("mesh", "gates", "release", "plan", "health", "objects")
HEAVY = ("airflow", "kubernetes_asyncio", "aiohttp", "httpx", "helm_python", "pydantic")


def test_nothing_heavy_is_imported_by_the_pure_packages():
    modules = [
        ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
        for package in PURE
        for path in sorted((PLUGINS / "meshflow" / package).rglob("*.py"))
        if path.stem != "__init__"
    ]
    code = f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(PLUGINS)}, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
