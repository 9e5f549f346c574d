"""Our errors as Airflow's retries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from meshflow import errors
from meshflow.operators.frame import DEFAULT_ARGS
from meshflow.operators.retries import MeshflowRetries


def verdict(error: BaseException) -> tuple[RetryAction, timedelta | None]:
    decision = MeshflowRetries().evaluate(error, 1, 3)
    return decision.action, decision.retry_delay


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput("is wrong", where="mesh.yaml:1"),
        errors.Unauthorized("who are you"),
        errors.Forbidden("you may not"),
        errors.NotFound("no such tag"),
        errors.Rejected("refused", status=422),
        errors.Conflict("owned by others"),
        errors.GateFailed("did not pass"),
        errors.Degraded("broken"),
        errors.Stale("the world moved on"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_waiting_cannot_mend_fails_at_once(error: errors.Permanent) -> None:
    assert verdict(error)[0] is RetryAction.FAIL


def test_a_server_that_does_not_answer_is_tried_again_after_the_tasks_own_delay() -> None:
    assert verdict(errors.Unreachable("refused", target="api")) == (RetryAction.RETRY, None)


def test_the_servers_wish_decides_when() -> None:
    busy = errors.ServerBusy("too many requests", status=429, retry_after=17)
    assert verdict(busy) == (RetryAction.RETRY, timedelta(seconds=17))


def test_no_server_may_wish_for_more_than_five_minutes() -> None:
    busy = errors.ServerBusy("too many requests", status=429, retry_after=86_400)
    assert verdict(busy) == (RetryAction.RETRY, timedelta(minutes=5))


def test_a_wait_that_ran_out_is_not_begun_again() -> None:
    assert verdict(errors.WaitExpired("still waiting for Deployment/a/b"))[0] is RetryAction.FAIL


def test_what_is_not_ours_keeps_airflows_rule() -> None:
    assert verdict(KeyError("x"))[0] is RetryAction.DEFAULT


def test_every_task_has_the_policy_and_it_survives_serialisation() -> None:
    assert isinstance(DEFAULT_ARGS["retry_policy"], MeshflowRetries)
    assert isinstance(MeshflowRetries.deserialize(MeshflowRetries().serialize()), MeshflowRetries)


def test_every_error_of_ours_is_decided() -> None:
    tree = [errors.MeshflowError]
    for node in tree:
        tree += node.__subclasses__()
    leaves = [node for node in tree if node.__module__ == errors.__name__ and node is not errors.MeshflowError]
    assert all(issubclass(node, errors.Temporary | errors.Permanent) for node in leaves)
