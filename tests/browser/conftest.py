"""A person at the browser: Debian's Chromium, logged in to the Airflow of the scenarios."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.scenarios.scene import Scene
from tools.stack import USER

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
PATIENCE = 180_000  # milliseconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need Airflow and a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.skipif(not CHROMIUM, reason="no chromium on the PATH"))


@pytest.fixture(scope="module")
def page(mesh: Scene) -> Iterator[Page]:
    """Logged in by the form. For one module: Playwright's event loop is in the way of asynchronous tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        person = browser.new_page(base_url=mesh.stack.url, viewport={"width": 1400, "height": 1100})
        person.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        person.goto("/")
        person.get_by_label("Username").fill(USER)
        person.get_by_label("Password").fill(mesh.stack.password)
        person.keyboard.press("Enter")
        person.get_by_role("link", name="Dags").first.wait_for()
        yield person
        browser.close()
