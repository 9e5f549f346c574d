"""A push meets a running rollout; and digests that failed do not come back by themselves."""

from __future__ import annotations

import pytest

from meshflow.release import outcome, policy, quarantine
from meshflow.release.outcome import Outcome
from meshflow.release.policy import Action, Running, Waiting, meet
from meshflow.words import PushPolicy

RUNNING = Running("run-1", "sha256:1", "Progressing")
QUEUE = [Waiting("run-2", "sha256:2"), Waiting("run-3", "sha256:3")]


@pytest.mark.parametrize("word", PushPolicy)
def test_a_push_starts_when_nothing_runs(word):
    assert meet(word, "sha256:9", running=None).action is Action.START


@pytest.mark.parametrize(
    ("word", "action", "drop"),
    [
        (PushPolicy.QUEUE, Action.WAIT, ()),
        (PushPolicy.COALESCE, Action.WAIT, ("run-2", "run-3")),
        (PushPolicy.SUPERSEDE, Action.REPLACE, ("run-2", "run-3")),
        (PushPolicy.REJECT, Action.REFUSE, ()),
    ],
)
def test_the_policy_decides_what_a_push_does_to_what_runs_and_waits(word, action, drop):
    found = meet(word, "sha256:9", running=RUNNING, waiting=QUEUE)
    assert (found.action, found.drop) == (action, drop)


@pytest.mark.parametrize("phase", ["Promoting", "Finalising"])
@pytest.mark.parametrize("word", PushPolicy)
def test_a_promotion_is_never_interrupted(word, phase):
    found = meet(word, "sha256:9", running=Running("run-1", "sha256:1", phase), waiting=QUEUE)
    assert found.action is not Action.REPLACE
    if word is PushPolicy.SUPERSEDE:
        assert phase in found.message


def test_a_push_neither_replaces_nor_drops_what_somebody_asked_for():
    waiting = [Waiting("rollback", "sha256:2", pushed=False), Waiting("run-3", "sha256:3")]
    assert meet(PushPolicy.COALESCE, "sha256:9", running=RUNNING, waiting=waiting).drop == ("run-3",)
    assert meet(PushPolicy.SUPERSEDE, "sha256:9", running=RUNNING, waiting=waiting).drop == ("run-3",)
    by_hand = Running("rollback", "sha256:1", "Progressing", pushed=False)
    found = meet(PushPolicy.SUPERSEDE, "sha256:9", running=by_hand)
    assert found.action is Action.WAIT
    assert "somebody asked for that one" in found.message


def test_nothing_is_replaced_while_a_run_waits_that_somebody_asked_for():
    """It would start in the middle of an analysis that nobody follows any more, and be refused."""
    waiting = [Waiting("rollback", "sha256:2", pushed=False), Waiting("run-3", "sha256:3")]
    running = Running("run-1", "sha256:1", "Progressing")
    found = meet(PushPolicy.SUPERSEDE, "sha256:9", running=running, waiting=waiting)
    assert (found.action, found.drop) == (Action.WAIT, ("run-3",))
    assert meet(PushPolicy.SUPERSEDE, "sha256:9", running=running).action is Action.REPLACE


@pytest.mark.parametrize("word", PushPolicy)
def test_the_newest_digest_again_is_ignored(word):
    assert meet(word, "sha256:3", running=RUNNING, waiting=QUEUE).action is Action.IGNORE
    assert meet(word, "sha256:1", running=RUNNING).action is Action.IGNORE


def test_an_older_digest_again_is_a_wish_to_go_back():
    assert meet(PushPolicy.QUEUE, "sha256:1", running=RUNNING, waiting=QUEUE).action is Action.WAIT


def test_every_word_has_its_sentence():
    assert set(policy.SENTENCES) == set(Action)
    assert set(outcome.SENTENCES) == set(Outcome)
    assert [word for word in Outcome if word.good] == [Outcome.SUCCEEDED, Outcome.SKIPPED]


def ended(word: str, *, digest: str = "sha256:1", run: str = "r1") -> dict:
    document = {
        "run": run,
        "request": {"service": "web", "digest": digest},
        "outcome": {"outcome": word, "message": "m"},
    }
    return {"document": document}


@pytest.mark.parametrize(
    ("history", "free"),
    [
        ([], True),
        (["succeeded"], True),
        (["rolled_back"], False),
        (["failed_on_canary"], False),
        (["rolled_back", "wedged", "superseded"], False),
        (["rolled_back", "succeeded"], True),
        (["succeeded", "rolled_back"], False),
    ],
)
def test_a_digest_that_failed_is_blocked_until_it_succeeds(history, free):
    reason = quarantine.blocked([ended(word) for word in history], service="web", digest="sha256:1")
    assert (reason is None) is free


def test_the_reason_names_the_run_and_other_digests_stay_free():
    records = [ended("rolled_back"), {"document": {"run": "phase"}}]
    assert "run r1" in str(quarantine.blocked(records, service="web", digest="sha256:1"))
    assert quarantine.blocked(records, service="web", digest="sha256:2") is None
    assert quarantine.blocked(records, service="api", digest="sha256:1") is None
