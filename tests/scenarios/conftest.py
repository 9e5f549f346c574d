"""What every scenario checks at its end. The fixtures `scene` and `mesh` are in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.scene import Scene


@pytest.fixture(autouse=True)
def alive(scene: Scene) -> Iterator[None]:
    """A process of the stack that died of itself is the first thing to know about a failure."""
    yield
    assert scene.stack.dead() == []
