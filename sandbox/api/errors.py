"""Errors as the API server words them: one exception that knows its Status object.

Every refusal in the sandbox is an `ApiError`. Its `code` and `reason` follow Kubernetes; `causes` are the single
field errors of an Invalid answer. The constructors below are the only places where the texts are written, since
clients (kubectl among them) read reasons and, alas, messages.

Trap: `details.kind` is the plural for NotFound, AlreadyExists and Conflict, and the Kind for Invalid.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from sandbox.schema.errors import FieldError

Obj = dict[str, Any]


class Names(Protocol):
    """What an error needs to know of a resource."""

    @property
    def group(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def plural(self) -> str: ...


class ApiError(Exception):
    """A Failure Status: code, reason, message, details (a dict without causes) and causes.

    `metadata` is rarely set (a continue token in 410); `headers` go to the HTTP answer (Retry-After)."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Obj | None = None,
        causes: Iterable[FieldError] = (),
        metadata: Obj | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.causes = details, tuple(causes)
        self.metadata, self.headers = metadata or {}, headers or {}

    def to_status(self) -> Obj:
        """Return the Status object of this error."""
        status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        details = dict(self.details or {})
        if self.causes:
            details["causes"] = [cause.to_json() for cause in self.causes]
        if details or self.details is not None:
            status["details"] = details
        return {**status, "code": self.code}


class PlainNotFound(Exception):
    """A path that nobody serves: answered 404 in plain text, without a Status."""


def qualified(resource: Names, *, kind: bool = False) -> str:
    """Return 'deployments.apps' or, with `kind`, 'Deployment.apps'; without the dot for the core group."""
    word = resource.kind if kind else resource.plural
    return f"{word}.{resource.group}" if resource.group else word


def _details(resource: Names, name: str, *, kind: bool = False) -> Obj:
    found = {"name": name, "group": resource.group, "kind": resource.kind if kind else resource.plural}
    return {key: value for key, value in found.items() if value}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Names, name: str, message: str, *, causes: Iterable[FieldError] = ()) -> ApiError:
    text = f'{qualified(resource)} "{name}" is forbidden: {message}'
    return ApiError(403, "Forbidden", text, details=_details(resource, name), causes=causes)


def not_found(resource: Names, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{qualified(resource)} "{name}" not found', details=_details(resource, name))


def no_such_resource() -> ApiError:
    """A version or resource that a built-in group lacks: 404 with empty details."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed(message: str = "the server does not allow this method on the requested resource") -> ApiError:
    return ApiError(405, "MethodNotAllowed", message, details={})


def already_exists(resource: Names, name: str, *, prefix: str = "") -> ApiError:
    text = f'{prefix}{qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details=_details(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Names, name: str, message: str = MODIFIED, *, kind: bool = False) -> ApiError:
    """409 Conflict; `kind` names the Kind instead of the plural (failed delete preconditions)."""
    text = f'Operation cannot be fulfilled on {qualified(resource, kind=kind)} "{name}": {message}'
    return ApiError(409, "Conflict", text, details=_details(resource, name, kind=kind))


def expired(message: str, *, token: str | None = None) -> ApiError:
    """410: the state that was asked for is compacted away; `token` goes on with the present state."""
    return ApiError(410, "Expired", message, metadata={"continue": token} if token else None)


def unsupported_media_type(supported: Sequence[str]) -> ApiError:
    text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(supported)}"
    return ApiError(415, "UnsupportedMediaType", text)


def invalid(resource: Names, name: str, causes: Sequence[FieldError]) -> ApiError:
    """422 with all field errors together; several are put in brackets in the message."""
    texts = ", ".join(str(cause) for cause in causes)
    text = f'{qualified(resource, kind=True)} "{name}" is invalid: {texts if len(causes) == 1 else f"[{texts}]"}'
    return ApiError(422, "Invalid", text, details=_details(resource, name, kind=True), causes=causes)


class OptionsKind(NamedTuple):
    """Stands in for a resource in errors about query parameters."""

    kind: str
    group: str = "meta.k8s.io"
    plural: str = ""


def invalid_options(kind: str, causes: Sequence[FieldError]) -> ApiError:
    """422 about query parameters; `kind` is PatchOptions, CreateOptions, DeleteOptions or ListOptions."""
    return invalid(OptionsKind(kind), "", causes)


def too_many_requests(message: str, retry_after: int) -> ApiError:
    details: Obj = {"retryAfterSeconds": retry_after}
    return ApiError(429, "TooManyRequests", message, details=details, headers={"Retry-After": str(retry_after)})


def internal(message: str, *, reason: str = "InternalError") -> ApiError:
    return ApiError(500, reason, f"Internal error occurred: {message}" if reason else message, details=None)


def plain_failure(message: str) -> ApiError:
    """500 without a reason and with the bare text, as apply answers a field that the schema lacks."""
    return ApiError(500, "", message)


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def timeout(message: str, *, causes: Iterable[FieldError] = ()) -> ApiError:
    return ApiError(504, "Timeout", message, causes=causes, details={"retryAfterSeconds": 1})
