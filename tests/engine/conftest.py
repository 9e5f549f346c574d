"""A client that does not wait between its attempts, and faults that end with the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from kubernetes_asyncio import config

from meshflow.clients.kube import Kube
from tests.conftest import Sandbox


class Faults:
    """Make something go wrong in the shared sandbox: keep it to a namespace."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._made: list[int] = []

    def __call__(self, kind: str, **settings: Any) -> int:
        """The number of the new fault."""
        self._made.append(self._sandbox.ask("POST", "faults", {"kind": kind, **settings})["id"])
        return self._made[-1]

    def end(self, *numbers: int) -> None:
        """End these, or all."""
        for number in numbers or self._made:
            self._sandbox.ask("DELETE", "faults", {"id": number})


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[Faults]:
    """Everything is right again after the test."""
    made = Faults(sandbox)
    yield made
    made.end()


@pytest.fixture
async def hasty(sandbox: Sandbox) -> AsyncIterator[Kube]:
    """A client whose pauses between attempts take no time."""
    async with await config.new_client_from_config(str(sandbox.kubeconfig)) as client:
        yield Kube(client, cluster="sandbox", sleep=lambda seconds: asyncio.sleep(0))
