"""Which release to go back to."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow import errors
from meshflow.hooks import store
from meshflow.operators.rollback import ChooseRollback, previous_image
from meshflow.release import record
from tests.operators.harness import Run


def ended(image: str | None, outcome: str, *, cluster: str = "default") -> dict[str, Any]:
    request = {"pinned": image} if image else None
    return {"document": {"cluster": cluster, "request": request, "outcome": {"outcome": outcome}}}


GOOD = ended("web@1", "succeeded")


@pytest.mark.parametrize(
    ("records", "image"),
    [
        ([], None),
        ([GOOD], None),
        ([GOOD, ended("web@2", "succeeded")], "web@1"),
        ([GOOD, ended("web@2", "rolled_back")], "web@1"),
        ([GOOD, ended("web@2", "failed_on_canary")], "web@1"),
        ([GOOD, ended("web@2", "rolled_back"), ended("web@3", "succeeded")], "web@1"),
        ([GOOD, ended("web@2", "succeeded"), ended("web@2", "skipped")], "web@1"),
        ([GOOD, ended("web@2", "skipped"), ended("web@3", "wedged")], "web@2"),
        ([ended("web@1", "rolled_back"), ended("web@2", "rolled_back")], None),
        ([GOOD, ended("web@2", "succeeded"), ended(None, "skipped")], "web@1"),
        ([ended("web@0", "succeeded", cluster="other"), GOOD], None),
    ],
    ids=[
        "nothing recorded",
        "one success has nothing before it",
        "the success before",
        "after a roll-back the last success",
        "after a failure on the canary the last success",
        "failures in between do not count",
        "the same image again is the present one",
        "skipped means that it runs",
        "no success at all",
        "runs without an image do not count",
        "other clusters do not count",
    ],
)
def test_the_choice(records: list[dict[str, Any]], image: str | None) -> None:
    assert previous_image(records, cluster="default") == image


@pytest.fixture
def home(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path))


def choose(run: Run) -> Any:
    return run.execute(ChooseRollback(task_id="choose", service="web", cluster="default"))


def test_the_records_of_the_service_are_asked(home: None) -> None:
    chain = store.records("service-web")
    for item in (GOOD, ended("web@2", "succeeded")):
        record.append(chain, {"run": item["document"]["request"]["pinned"], **item["document"]})
    assert choose(Run(dag_id="rollback_service", dry_run=True)) == {
        "cluster": "default",
        "dry_run": True,
        "approve": False,
        "image": "web@1",
        "reason": "rollback of web",
        "requested_by": "rollback_service",
    }


def test_a_person_may_say_which_one_and_why(home: None) -> None:
    conf = choose(Run(image="6.10", reason="2 is slow"))
    assert (conf["image"], conf["reason"]) == ("6.10", "2 is slow")


def test_nothing_to_go_back_to_is_a_sentence_with_a_way_out(home: None) -> None:
    run = Run()
    with pytest.raises(errors.NotFound, match=r"nothing to go back to\. Name the digest or tag in the parameter image"):
        choose(run)
    assert "No earlier success of web on default" in run.failure("choose")
