"""Logging in to an add-on and staying logged in by its cookies.

The API server's proxy keeps the Authorization header for itself and passes cookies through, so a login form is the one
way that works both behind the proxy and at a URL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from meshflow.clients import door as doors
from meshflow.clients.door import Door, Question
from meshflow.clients.kube import Response

FORM = "application/x-www-form-urlencoded; charset=utf-8"
"""With the charset on purpose: kubernetes_asyncio drops the body of the bare content type."""


class SessionDoor:
    """A door through which every request takes the cookies of one login."""

    def __init__(self, door: Door, cookies: Mapping[str, str]) -> None:
        self.name = door.name
        self._door = door
        self._cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())

    async def ask(self, question: Question) -> Response:
        """As the door's own, logged in."""
        return await self._door.ask(replace(question, headers={**question.headers, "Cookie": self._cookie}))


async def by_form(door: Door, path: str, fields: Mapping[str, str]) -> SessionDoor:
    """Log in by a form, as Kiali wants it (`token`). Raises Unauthorized when it is refused."""
    return await _login(door, path, urlencode(fields).encode(), FORM)


async def by_json(door: Door, path: str, fields: Mapping[str, str]) -> SessionDoor:
    """Log in by a JSON document, as Grafana wants it (`user`, `password`). Raises Unauthorized when it is refused."""
    return await _login(door, path, json.dumps(dict(fields)).encode(), "application/json")


async def _login(door: Door, path: str, body: bytes, content_type: str) -> SessionDoor:
    question = Question(path, method="POST", headers={"Content-Type": content_type}, body=body)
    response = await door.ask(question)
    if response.status >= 300:
        raise doors.refusal(door, path, response)
    return SessionDoor(door, _cookies(response.headers.get("set-cookie", "")))


def _cookies(header: str) -> dict[str, str]:
    pairs = (line.partition(";")[0].partition("=") for line in header.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}
