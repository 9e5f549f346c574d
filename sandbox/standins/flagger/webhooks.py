"""Calls of a Canary's webhooks: a POST of a small JSON document; a status up to 202 passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from sandbox.network import NetworkError
from sandbox.standins.flagger import hashing
from sandbox.standins.flagger.spec import Canary, Hook
from sandbox.standins.flagger.status import Phase

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.network import Network

Obj = dict[str, Any]

PASSING = 202
TOO_MANY, NOT_IMPLEMENTED = 429, 501
LAST_WAIT = 30.0  # seconds between two tries at most


def payload(canary: Canary, phase: Phase, metadata: dict[str, str]) -> Obj:
    """The document of one call."""
    status = canary.obj.get("status") or {}
    revision = [status.get("trackedConfigs") or {}, status.get("lastAppliedSpec") or ""]
    document: Obj = {
        "name": canary.name,
        "namespace": canary.namespace,
        "phase": str(phase),
        "checksum": hashing.spec_hash(revision),
    }
    return {**document, "metadata": metadata} if metadata else document


def event_payload(canary: Canary, phase: Phase, hook: Hook, message: str, kind: str, milliseconds: int) -> Obj:
    """The document of an event call; the event's own entries win over the hook's."""
    told = {"eventMessage": message, "eventType": kind, "timestamp": str(milliseconds)}
    return payload(canary, phase, {**hook.metadata, **told})


async def call(network: Network, clock: Clock, hook: Hook, document: Obj, *, namespace: str) -> str | None:
    """Send it; None when it passed, else the reason in the server's words.

    Failed connections, 429 and 5xx are tried `hook.retries` times again; the words of such an answer are lost.
    """
    problem = ""
    for attempt in range(hook.retries + 1):
        if attempt:
            await clock.sleep(min(LAST_WAIT, 2.0 ** (attempt - 1)))
        try:
            answer = await network.request("POST", hook.url, namespace=namespace, json=document, timeout=hook.timeout)
        except (NetworkError, httpx.InvalidURL) as error:
            problem = f': Post "{hook.url}": {error}'
            continue
        if answer.status_code <= PASSING:
            return None
        if not _worth_another_try(answer.status_code):
            return answer.text
        problem = ""
    return f"POST {hook.url} giving up after {hook.retries + 1} attempt(s){problem}"


def _worth_another_try(status: int) -> bool:
    return status == TOO_MANY or (status >= 500 and status != NOT_IMPLEMENTED)
