"""Which release to go back to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshflow import errors
from meshflow.hooks import store
from meshflow.operators.rollback import ChooseRollback, previous_image
from meshflow.release import record
from tests.operators.harness import Run


def ended(image: str | None, outcome: str, *, cluster: str = "default") -> dict[str, Any]:
    request = {"pinned": image} if image else None
    release = None if outcome == "skipped" else {"release": {}}
    document = {"cluster": cluster, "request": request, "release": release, "outcome": {"outcome": outcome}}
    return {"document": document}


def stopped(image: str, *, released: bool, outcome: str | None = None) -> dict[str, Any]:
    """A run that was ended early: `released` says whether the image had been set by then."""
    release, ending = {"release": {}} if released else None, {"outcome": outcome} if outcome else None
    return {"document": {"cluster": "default", "request": {"pinned": image}, "release": release, "outcome": ending}}


GOOD = ended("web@1", "succeeded")


def test_an_image_of_blanks_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path))
    with pytest.raises(errors.NotFound):
        Run(image=" ").execute(ChooseRollback(task_id="choose", service="web", cluster="default"))


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
        ([GOOD, ended("web@2", "succeeded"), stopped("web@3", released=False)], "web@1"),
        ([GOOD, ended("web@2", "succeeded"), stopped("web@3", released=True)], "web@2"),
        ([GOOD, ended("web@2", "succeeded"), stopped("web@3", released=False, outcome="superseded")], "web@1"),
        ([GOOD, ended("web@2", "succeeded"), ended("web@1", "rolled_back"), ended("web@3", "succeeded")], "web@2"),
        ([GOOD, ended("web@1", "rolled_back"), ended("web@3", "succeeded")], None),
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
        "a dry run or a refused push never ran, so it is not the present one",
        "a run that died after it had set the image is the present one",
        "one that was superseded before it set the image never ran",
        "what failed the last time is no way back",
        "nor is it when nothing else is left",
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
        "force": True,
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
