"""The one tree of errors.

    MeshflowError
    ├── Temporary              waiting can help; Airflow retries the task
    │   ├── Unreachable        no answer: connection refused, reset, timed out, name not found
    │   ├── ServerBusy         429 or 5xx from a server that is there
    │   └── WaitExpired        a deadline passed; says what it still waited for. Not retried: it was the budget
    └── Permanent              waiting cannot help; Airflow fails the task at once
        ├── InvalidInput       a file, a field, a parameter: names the value and the way out
        ├── Untrusted          TLS does not fit: a certificate that is not trusted, or no TLS at all
        ├── Unauthorized       401: who we are was not accepted
        ├── Forbidden          403: we may not
        ├── NotFound           what was asked for does not exist
        ├── Rejected           the server understood and refused (400, 409, 422, admission)
        ├── Conflict           fields that another manager owns
        ├── PruneRefused       the plan removes more than its budget, or something protected
        ├── GateFailed         a gate did not pass; carries the verdicts
        ├── Degraded           an object is in a state that waiting does not mend
        └── Stale              the world moved on between plan and apply: plan again

Every message is one sentence for a person: what broke, on what, and what to do next. Bodies of servers are cut to
`BODY_LIMIT` characters. No message ever carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence

BODY_LIMIT = 500


class MeshflowError(Exception):
    """Root of all errors that Meshflow raises on purpose."""


class Temporary(MeshflowError):
    """Waiting can help. `retry_after` is the server's wish in seconds, None when it has none."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(Temporary):
    """No answer came. `target` is the host or URL without credentials."""

    def __init__(self, message: str, *, target: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.target = target


class ServerBusy(Temporary):
    """The server answered 429 or 5xx; `status` is that code."""

    def __init__(self, message: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class WaitExpired(Temporary):
    """A deadline passed. `waiting_for` has one line for each thing that was not there yet."""

    def __init__(self, message: str, *, waiting_for: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.waiting_for = tuple(waiting_for)


class Permanent(MeshflowError):
    """Waiting cannot help; somebody has to change something."""


class InvalidInput(Permanent):
    """Something a person wrote is wrong.

    `where` is a file (with line, as `path:line`) or `parameter`; `field` the dotted path in it; `value` what stands
    there; `way_out` the next step as an imperative sentence.
    """

    def __init__(
        self, problem: str, *, where: str, field: str | None = None, value: object = None, way_out: str | None = None
    ) -> None:
        text = f"{where}: "
        if field:
            text += f"{field}: "
        text += problem
        if value is not None:
            text += f" (got {value!r})"
        if way_out:
            text += f" {way_out}" if text.endswith("?") else f". {way_out}"
        super().__init__(text)
        self.problem, self.where, self.field, self.value, self.way_out = problem, where, field, value, way_out


class Untrusted(Permanent):
    """No connection because of TLS: a certificate that is not trusted, or no TLS at all. `target` as above."""

    def __init__(self, message: str, *, target: str) -> None:
        super().__init__(message)
        self.target = target


class Unauthorized(Permanent):
    """The server does not accept who we are (401): an expired or wrong token or certificate."""


class Forbidden(Permanent):
    """The server knows us and says no (403)."""


class NotFound(Permanent):
    """What was asked for does not exist."""


class Rejected(Permanent):
    """The server understood the request and refused it. `status` is the HTTP code."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Conflict(Rejected):
    """Another field manager owns what we would write. `fields` are (manager, path) pairs."""

    def __init__(self, message: str, *, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, status=409)
        self.fields = tuple(fields)


class PruneRefused(Permanent):
    """The plan would remove more than allowed. `references` are the objects concerned, printed."""

    def __init__(self, message: str, *, references: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.references = tuple(references)


class GateFailed(Permanent):
    """A gate did not pass. `verdicts` are its printed lines, the failed ones first."""

    def __init__(self, message: str, *, verdicts: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.verdicts = tuple(verdicts)


class Degraded(Permanent):
    """Objects are in a state that waiting does not mend. `objects` are `Kind/namespace/name: message` lines."""

    def __init__(self, message: str, *, objects: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.objects = tuple(objects)


class Stale(Permanent):
    """What was planned is no longer what would be applied; plan again."""


def shorten(body: str) -> str:
    """A server's answer cut to `BODY_LIMIT` characters, on one line."""
    flat = " ".join(body.split())
    return flat if len(flat) <= BODY_LIMIT else flat[: BODY_LIMIT - 1] + "…"
