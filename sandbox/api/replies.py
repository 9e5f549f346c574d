"""Answers of the HTTP layer, and how bodies come in."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox.api import protobuf
from sandbox.api.errors import ApiError, bad_request, unsupported_media_type
from sandbox.schema import decode
from sandbox.schema.errors import Malformed

Obj = dict[str, Any]

JSON = "application/json"
YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
PATCH_TYPES = {
    "application/merge-patch+json": "merge",
    "application/json-patch+json": "json",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
    "application/apply-patch+json": "apply",
}
PATCH_NAMES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


@dataclass(slots=True)
class Request:
    """One HTTP request, its body read to the end."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    raw_query: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", JSON).partition(";")[0].strip().lower()

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")

    def parsed(self) -> decode.Parsed:
        """Return the body as data. Raises 415 for an unknown type, 400 for a malformed body."""
        kind = self.content_type
        if kind == protobuf.CONTENT_TYPE:
            return decode.Parsed(protobuf.decode(self.body))
        if kind != JSON and kind not in YAML:
            raise unsupported_media_type([JSON, YAML[0]])
        return parsed(self.body, yaml=kind in YAML)


@dataclass(slots=True)
class Reply:
    """One answer. `stream` (chunks) takes the place of `body` where it is set; `stop` makes it end."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: AsyncIterator[bytes] | None = None
    stop: Callable[[], None] = lambda: None


def parsed(body: bytes, *, yaml: bool = False) -> decode.Parsed:
    """Return the body as data. Raises ApiError 400. JSON is YAML, and read much faster as what it is."""
    try:
        if yaml and body[:1] == b"{":
            with contextlib.suppress(Malformed):
                return decode.parse(body)
        return decode.parse(body, yaml=yaml)
    except Malformed as error:
        raise bad_request(error.message) from error


def query_of(raw: str) -> dict[str, str]:
    """Return the query parameters; of several values of one name the first counts."""
    found: dict[str, str] = {}
    for key, value in parse_qsl(raw, keep_blank_values=True):
        found.setdefault(key, value)
    return found


def json_reply(value: Any, status: int = 200, *, warnings: Iterable[str] = ()) -> Reply:
    return Reply(
        status, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(), headers=warned(warnings)
    )


def bytes_reply(body: bytes, status: int = 200, *, warnings: Iterable[str] = ()) -> Reply:
    return Reply(status, body, headers=warned(warnings))


def text_reply(text: str, status: int = 200) -> Reply:
    return Reply(status, text.encode(), "text/plain; charset=utf-8")


def error_reply(error: ApiError, *, warnings: Iterable[str] = ()) -> Reply:
    reply = json_reply(error.to_status(), error.code, warnings=warnings)
    reply.headers += error.headers.items()
    return reply


def plain_not_found() -> Reply:
    """What a path that nobody serves is answered."""
    return text_reply("404 page not found\n", 404)


def warned(warnings: Iterable[str]) -> list[tuple[str, str]]:
    """Return the Warning headers, each text once."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in dict.fromkeys(warnings))
    return [("warning", f'299 - "{text}"') for text in quoted]


def loose(body: bytes) -> Any:
    """Return a patch body as data, whatever JSON it is. Raises ApiError 400."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"error decoding patch: {error}") from error
