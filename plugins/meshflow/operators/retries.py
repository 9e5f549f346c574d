"""The one place where our errors become Airflow's retries: `Temporary` is tried again, `Permanent` fails at once.

A `Temporary` that carries the server's wish (`Retry-After`) is retried then; otherwise the task's own delay holds. A
`WaitExpired` is not retried: its deadline was the whole budget, and to wait again is a person's decision. Anything that
is not ours keeps Airflow's default.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from meshflow import errors

LONGEST_WISH = 300.0  # seconds; a server that wants more is asked again after this


class MeshflowRetries(RetryPolicy):
    """Stateless, so that its serialised form is empty."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Fail on `Permanent`, retry on `Temporary` after the delay that the server asked for, else Airflow's rule."""
        if isinstance(exception, errors.Permanent):
            return RetryDecision.fail(reason="waiting cannot help")
        if isinstance(exception, errors.WaitExpired):
            return RetryDecision.fail(reason="the time to wait is used up")
        if isinstance(exception, errors.Temporary):
            return RetryDecision.retry(delay=_wish(exception), reason="waiting can help")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> MeshflowRetries:
        return cls()


def _wish(error: errors.Temporary) -> timedelta | None:
    if error.retry_after is None:
        return None
    return timedelta(seconds=min(error.retry_after, LONGEST_WISH))
