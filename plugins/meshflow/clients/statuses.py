"""From an answer of an API server to the one error that says it, as a sentence with the next step."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from meshflow.errors import (
    Conflict,
    Forbidden,
    MeshflowError,
    NotFound,
    Rejected,
    ServerBusy,
    Temporary,
    Unauthorized,
    shorten,
)


class Expired(Temporary):
    """The resourceVersion or the page asked for is too old (410): list again. Never leaves `clients`."""


class Subject(NamedTuple):
    """What a request was about, for its error: `list deployments.apps in namespace weather`."""

    verb: str
    resource: str
    namespace: str | None
    name: str | None
    cluster: str
    host: str

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"

    @property
    def what(self) -> str:
        """The object, or the collection, in words."""
        return f"{self.resource}{f' {self.name}' if self.name else ''}{self.where}"

    @property
    def where(self) -> str:
        """The place in words, with a leading space."""
        return f" in namespace {self.namespace}" if self.namespace else ""


_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_ACCOUNT = re.compile(r'User "(?P<user>[^"]+)" cannot ')
_LOST_RACE = "the object has been modified; please apply your changes to the latest version"
"""We never send a resourceVersion: the server gave up a race of its own between its read and its write."""

_BAD_OBJECT = (
    # The server answers 500 to an apply whose object does not fit the schema: our fault, not its trouble.
    "failed to create typed patch object",
    "failed to convert new object",
    "field not declared in schema",
    "failed to create manager for existing fields",
)


def error_of(status: int, body: bytes, subject: Subject, *, retry_after: float | None = None) -> MeshflowError:
    """The error for an answer that is not 2xx."""
    answer = _decode(body)
    message = _message(answer, body, subject)
    detail = f"{subject.cluster}: cannot {subject}: {message}"
    said = str(answer.get("message"))  # may quote values of a Secret: looked at, not shown
    match status:
        case 401:
            return Unauthorized(
                f"{subject.cluster} ({subject.host}) does not accept our credentials: the token or certificate "
                "is wrong or expired. Renew it in the kubeconfig or the Airflow connection of this cluster"
            )
        case 403:
            return _forbidden(answer, subject, message, detail)
        case 404:
            return NotFound(detail)
        case 409 if _LOST_RACE in said:
            return ServerBusy(f"{detail} (HTTP 409)", status=status)
        case 409:
            return _conflict(answer, detail)
        case 410:
            return Expired(detail)
        case _ if status == 500 and any(text in said for text in _BAD_OBJECT):
            return Rejected(f"{detail}. Correct the object", status=status)
        case _ if status == 429 or status >= 500:
            return ServerBusy(f"{detail} (HTTP {status})", status=status, retry_after=retry_after)
        case _:
            return Rejected(f"{detail} (HTTP {status})", status=status)


def _forbidden(answer: Mapping[str, Any], subject: Subject, message: str, detail: str) -> MeshflowError:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(answer)):
        return ServerBusy(f"{detail}. Wait until the namespace is gone, then run again", status=403)
    account = _ACCOUNT.search(message)
    if account is None:  # a quota, Pod Security or a webhook says 403 too, and no permission would help
        return Rejected(f"{detail} (HTTP 403)", status=403)
    return Forbidden(
        f"{subject.cluster}: user {account['user']} may not {subject.verb} {subject.resource}{subject.where}. "
        "Grant that permission to the account of this cluster's connection"
    )


def _conflict(answer: Mapping[str, Any], detail: str) -> MeshflowError:
    """Fields of other managers are a `Conflict`; a stale resourceVersion or an existing name is `Rejected`."""
    fields = []
    for cause in _causes(answer):
        manager = _MANAGER.search(cause.get("message", ""))
        if cause.get("reason") == "FieldManagerConflict" and manager:
            fields.append((manager["manager"], cause.get("field", "").removeprefix(".")))
    return Conflict(detail, fields=fields) if fields else Rejected(f"{detail} (HTTP 409)", status=409)


def is_status(body: bytes) -> bool:
    """Whether an answer is the API server's own Status object, not that of a service behind its proxy."""
    answer = _decode(body)
    return answer.get("kind") == "Status" and answer.get("apiVersion") == "v1"


def _decode(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _causes(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (answer.get("details") or {}).get("causes") or []


def _message(answer: Mapping[str, Any], body: bytes, subject: Subject) -> str:
    """The server's words on one line. Those about a Secret may quote its values, so only the field names are kept."""
    if subject.resource == "secrets":
        fields = ", ".join(f"{cause.get('field', '?')}: {cause.get('reason', '?')}" for cause in _causes(answer))
        return fields or str(answer.get("reason") or "refused")
    text = answer.get("message") or body.decode("utf-8", "replace") or "no message"
    return shorten(str(text)).rstrip(".")
