"""What an API server's answers become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from meshflow.clients import statuses
from meshflow.clients.statuses import Subject
from meshflow.errors import Rejected, Unreachable
from meshflow.objects.kinds import Kind
from meshflow.objects.reference import Obj


class Listing(NamedTuple):
    """All items of a list, kind and apiVersion filled in, and the resourceVersion to watch from."""

    items: list[Obj]
    resource_version: str


class Event(NamedTuple):
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    obj: Obj


class Response(NamedTuple):
    """What a service behind the API server's proxy answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body. ValueError when it is no JSON."""
        return json.loads(self.body)


def event(line: bytes, kind: Kind, subject: Subject) -> Event:
    """One line of a watch. An ERROR event is raised as what it says: 410 is Expired."""
    try:
        event = json.loads(line)
    except ValueError as error:
        raise Unreachable(
            f"{subject.cluster}: a watch broke off in the middle of an event", target=subject.host
        ) from error
    obj = event["object"]
    if event["type"] == "ERROR":
        raise statuses.error_of(int(obj.get("code") or 500), json.dumps(obj).encode(), subject)
    return Event(event["type"], {"apiVersion": kind.api_version, "kind": kind.kind, **obj})


def listed(body: bytes) -> Obj:
    """A list. Rejected without `items`: taken for an empty one, it would say that nothing exists."""
    listing = decoded(body)
    if "items" not in listing:
        raise Rejected("the server's answer is no list; is the address that of a Kubernetes API?", status=200)
    return listing


def decoded(body: bytes) -> Obj:
    """A JSON object. Rejected for anything else."""
    try:
        decoded = json.loads(body)
    except ValueError as error:
        raise Rejected(
            "the server's answer is no JSON; is the address that of a Kubernetes API?", status=200
        ) from error
    if not isinstance(decoded, dict):
        raise Rejected("the server's answer is no object; is the address that of a Kubernetes API?", status=200)
    return decoded
