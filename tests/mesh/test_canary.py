"""What became of MY revision: every row of the truth table, every hazard that made it necessary."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshflow.mesh import canary, observation
from meshflow.mesh.canary import TABLE, Decision, Release, RolloutObservation, Verb, answer, decide
from meshflow.mesh.observation import Facts, State, Whose
from meshflow.mesh.weights import Traffic
from meshflow.release.outcome import Outcome

Obj = dict[str, Any]
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LATER = START + timedelta(minutes=2)
OLD, NEW, NEXT = (f"ghcr.io/weather/web@sha256:{letter * 64}" for letter in "abc")
BEFORE = "Succeeded@2026-11-23T09:00:00Z"


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def release(**changes: Any) -> Release:
    fields = {"condition_before": BEFORE, "generation": 7} | changes
    return Release("web", "weather", NEW, "r1", START, **fields)


def deployment(image: str = NEW, *, release_id: str = "r1", generation: int = 7) -> Obj:
    template = {
        "metadata": {"annotations": {observation.RELEASE_ID: release_id}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    ready = {"observedGeneration": generation, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    return {"metadata": {"name": "web", "generation": generation}, "spec": {"template": template}, "status": ready}


def a_canary(
    phase: str, *, verdict: datetime | None = LATER, moved: datetime = LATER, spec: Obj | None = None, **status: Any
) -> Obj:
    """A Canary in a phase that it reached at `verdict` (None: what it was before the write)."""
    since = (
        {"reason": phase, "lastUpdateTime": stamp(verdict)}
        if verdict
        else dict(zip(("reason", "lastUpdateTime"), BEFORE.split("@"), strict=True))
    )
    return {
        "metadata": {"name": "web", "namespace": "weather"},
        "spec": {
            "targetRef": {"name": "web"},
            "service": {"port": 80},
            "progressDeadlineSeconds": 60,
            **({"analysis": {}} if spec is None else spec),
        },
        "status": {
            "phase": phase,
            "lastTransitionTime": stamp(moved),
            "conditions": [{"type": "Promoted", **since}],
            **status,
        },
    }


def routes(on_canary: int) -> Obj:
    def to(side: str, weight: int) -> Obj:
        return {"destination": {"host": f"web-{side}"}, "weight": weight}

    return {"spec": {"http": [{"route": [to("primary", 100 - on_canary), to("canary", on_canary)]}]}}


def event(message: str, at: datetime) -> Obj:
    return {"kind": "Event", "message": message, "lastTimestamp": stamp(at), "metadata": {}}


def look(
    cd: Obj | None,
    *,
    on_canary: int | None = 0,
    target: Obj | None = None,
    primary: Obj | None = None,
    events: tuple[Obj, ...] = (),
    now: datetime = LATER,
    mine: Release | None = None,
) -> Decision:
    """The decision on a canary; by default the target carries my revision and the primary the old one."""
    seen = RolloutObservation(
        cd,
        None if on_canary is None else routes(on_canary),
        deployment() if target is None else target,
        deployment(OLD, release_id="r0") if primary is None else primary,
        events,
    )
    return decide(seen, release=mine or release(), now=now)


def test_the_table_in_the_docstring_is_the_table_that_decides():

    def word(fact: object) -> str:
        return "-" if fact is None else {True: "yes", False: "no"}.get(fact, str(fact))  # type: ignore[call-overload]

    rows = [" ".join(word(field) for field in row[:6]) for row in TABLE]
    lines = canary.__doc__.rsplit("-------  -----------", 1)[1].splitlines()[1:]
    written = [" ".join(line.split()) for line in itertools.takewhile(str.strip, lines)]
    assert written == rows


def test_every_combination_of_facts_has_an_answer():
    for facts in itertools.product(Whose, State, (True, False), Whose, Traffic):
        assert answer(Facts(*facts))


def test_every_row_of_the_table_is_reached():
    combinations = itertools.product(Whose, State, (True, False), Whose, Traffic)
    assert {TABLE.index(answer(Facts(*facts))) for facts in combinations} == set(range(len(TABLE)))


def test_only_my_promoted_revision_succeeds():
    """Succeeded on any row needs my revision on the primary: nothing is reported that was not observed."""
    for facts in itertools.product(Whose, State, (True, False), Whose, Traffic):
        if answer(Facts(*facts)).answer in (Outcome.SUCCEEDED, Outcome.SKIPPED):
            assert Facts(*facts).primary is Whose.MINE


def test_a_promoted_release_succeeds():
    found = look(a_canary("Succeeded"), primary=deployment())
    assert found.outcome is Outcome.SUCCEEDED
    assert found.done


def test_the_success_of_the_revision_before_is_not_mine():
    found = look(a_canary("Succeeded", verdict=None), now=START + timedelta(seconds=30))
    assert found.outcome is None
    assert "notice" in found.message


def test_a_failed_analysis_is_a_rollback_with_the_check_that_failed():
    events = (
        event("Halt web.weather advancement success rate 69.17% < 99%", LATER - timedelta(seconds=20)),
        event("Rolling back web.weather failed checks threshold reached 1", LATER),
    )
    found = look(a_canary("Failed", canaryWeight=0), events=events)
    assert found.outcome is Outcome.ROLLED_BACK
    assert "request-success-rate was 69.17% against 99%" in found.message
    assert "sha256:bbbb" in found.message


def test_a_rollback_without_failed_check_says_what_flagger_said_last():
    events = (event('canary deployment web.weather not ready: deployment "web" exceeded its progress deadline', LATER),)
    assert "exceeded its progress deadline" in look(a_canary("Failed"), events=events).message


def test_a_failed_promotion_leaves_traffic_on_the_canary_and_is_not_called_a_rollback():
    found = look(a_canary("Failed", canaryWeight=100), on_canary=100, primary=deployment())
    assert found.outcome is Outcome.FAILED_ON_CANARY


def test_a_failure_whose_traffic_contradicts_the_status_is_looked_at_again():
    """Two watches may be apart: Failed is seen before the VirtualService that was written first."""
    ahead = look(a_canary("Failed", canaryWeight=0), on_canary=50, now=LATER + timedelta(seconds=1))
    assert ahead.outcome is None
    settled = look(a_canary("Failed", canaryWeight=0), on_canary=50, now=LATER + timedelta(seconds=6))
    assert settled.outcome is Outcome.FAILED_ON_CANARY


def test_a_failed_canary_that_swallows_my_revision_ends_wedged_and_not_rolled_back():
    """Flagger rewrites lastAppliedSpec and lastTransitionTime of a failed canary at every interval: no progress."""
    mine = release(condition_before="Failed@2026-11-23T09:00:00Z")
    cd = a_canary("Failed", verdict=datetime(2026, 11, 23, 9, tzinfo=UTC), lastAppliedSpec="h1", moved=LATER)
    assert look(cd, mine=mine, now=START + timedelta(seconds=30)).outcome is None
    found = look(cd, mine=mine, now=START + timedelta(seconds=61))
    assert found.outcome is Outcome.WEDGED
    assert "notice" in found.message


def test_waiting_for_promotion_shows_the_real_split_and_never_wedges():
    found = look(a_canary("WaitingPromotion", canaryWeight=0), on_canary=60, now=LATER + timedelta(days=3))
    assert found.outcome is None
    assert found.asking
    assert found.deadline is None
    assert "60% canary" in found.message


def test_a_later_revision_supersedes_mine():
    later = deployment(NEXT, release_id="r2", generation=8)
    assert look(a_canary("Progressing"), target=later, on_canary=20).outcome is Outcome.SUPERSEDED


def test_mine_still_succeeds_when_a_later_revision_follows_its_promotion():
    later = deployment(NEXT, release_id="r2", generation=8)
    waiting = look(a_canary("Promoting"), target=later, primary=deployment(), on_canary=60)
    assert waiting.outcome is None
    assert "later revision" in waiting.message
    assert look(a_canary("Progressing"), target=later, primary=deployment()).outcome is Outcome.SUCCEEDED


def test_an_observation_from_before_my_write_decides_nothing():
    stale = deployment(OLD, release_id="r0", generation=6)
    assert look(a_canary("Succeeded", verdict=None), target=stale, now=START).outcome is None


def test_a_digest_that_the_primary_already_runs_is_skipped():
    found = look(a_canary("Succeeded", verdict=None), primary=deployment())
    assert found.outcome is Outcome.SKIPPED


def test_the_first_installation_ends_initialized_and_says_that_nothing_was_analysed():
    first = release(condition_before="")
    assert look(None, mine=first, on_canary=None).outcome is None
    assert look(a_canary("Initializing"), mine=first, on_canary=None).outcome is None
    found = look(a_canary("Initialized"), mine=first, primary=deployment())
    assert found.outcome is Outcome.SUCCEEDED
    assert "first installation" in found.message


@pytest.mark.parametrize("cd", [None, a_canary("Terminating"), a_canary("Terminated")])
def test_a_deleted_canary_ends_as_aborted(cd):
    assert look(cd).outcome is Outcome.ABORTED


def test_a_canary_being_deleted_is_aborted_whatever_its_phase():
    cd = a_canary("Progressing")
    cd["metadata"]["deletionTimestamp"] = stamp(LATER)
    assert look(cd).outcome is Outcome.ABORTED


def test_nothing_for_the_progress_deadline_is_wedged_and_says_what_it_waited_for():
    cd = a_canary("Progressing", moved=LATER, failedChecks=1, spec={"analysis": {"threshold": 3}})
    alive = look(cd, on_canary=20, now=LATER + timedelta(seconds=59))
    assert alive.outcome is None
    assert alive.deadline == LATER + timedelta(seconds=60)
    assert alive.message == "web: being analysed (80% primary, 20% canary, 1 of 3 failed checks)"
    found = look(cd, on_canary=20, now=LATER + timedelta(seconds=60))
    assert found.outcome is Outcome.WEDGED
    assert "10:02:00" in found.message


def test_an_event_is_a_sign_of_life():
    said = event("Advance web.weather canary weight 20", LATER + timedelta(seconds=30))
    assert look(a_canary("Progressing"), events=(said,), now=LATER + timedelta(seconds=80)).outcome is None


def test_a_success_that_leaves_the_route_split_is_not_taken_for_one():
    cd = a_canary("Succeeded")
    waiting = look(cd, primary=deployment(), on_canary=40)
    assert waiting.outcome is None
    assert "still sends traffic to the canary" in waiting.message
    assert look(cd, primary=deployment(), on_canary=40, now=LATER + timedelta(seconds=61)).outcome is Outcome.WEDGED


def test_a_failure_without_any_route_is_unknown():
    assert look(a_canary("Failed"), on_canary=None, now=LATER + timedelta(seconds=6)).outcome is Outcome.UNKNOWN


def test_a_phase_of_another_flagger_is_waited_for_and_not_guessed():
    found = look(a_canary("Dancing"))
    assert found.outcome is None
    assert "not known" in found.message


@pytest.mark.parametrize(
    "status",
    [
        {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2},
        {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 0},
        {"replicas": 0},
        {"observedGeneration": 6, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
        {},
    ],
    ids=["old pods serve", "none is ready", "scaled to nothing", "not seen by its controller", "no status"],
)
def test_a_promotion_without_analysis_counts_when_the_primary_really_serves_it(status):
    """With skipAnalysis Flagger says Succeeded as soon as it has copied the template."""
    cd = a_canary("Succeeded", spec={"skipAnalysis": True, "analysis": {}})
    primary = {**deployment(), "status": {"observedGeneration": 7, **status}}
    waiting = look(cd, primary=primary)
    assert waiting.outcome is None
    assert "the primary's new pods do not serve yet" in waiting.message
    assert look(cd, primary=primary, now=LATER + timedelta(seconds=61)).outcome is Outcome.WEDGED


def test_a_success_without_analysis_says_so():
    for spec in ({"skipAnalysis": True, "analysis": {}}, {}):
        assert "its Canary skips the analysis" in look(a_canary("Succeeded", spec=spec), primary=deployment()).message
    assert "skips" not in look(a_canary("Succeeded", spec={"analysis": {}}), primary=deployment()).message


def test_a_failure_of_what_the_primary_runs_too_is_no_rollback():
    """There is no revision to go back to: a first installation that never became ready may end so."""
    found = look(a_canary("Failed"), primary=deployment())
    assert found.outcome is Outcome.UNKNOWN
    assert "the primary runs it" in found.message


SOON = START + timedelta(seconds=15)
REPLACING = release(condition_before="Progressing@2026-11-23T09:59:00Z")


def test_the_failure_of_the_analysis_that_mine_replaced_is_not_mine():
    """Flagger may be in the middle of failing the revision before when mine is written."""
    before = event("Rolling back web.weather failed checks threshold reached 1", SOON)
    cd = a_canary("Failed", verdict=SOON)
    found = look(cd, mine=REPLACING, events=(before,), now=SOON + timedelta(seconds=30))
    assert found.outcome is None
    assert "notice" in found.message
    swallowed = look(cd, mine=REPLACING, events=(before,), now=SOON + timedelta(minutes=5))
    assert swallowed.outcome is Outcome.WEDGED


def test_the_failure_of_mine_counts_once_flagger_said_that_it_saw_it():
    seen = event("New revision detected! Restarting analysis for web.weather", SOON)
    failed = a_canary("Failed", verdict=SOON + timedelta(seconds=20))
    now = SOON + timedelta(seconds=25)
    assert look(failed, mine=REPLACING, events=(seen,), now=now).outcome is Outcome.ROLLED_BACK
    known = look(a_canary("Progressing"), mine=REPLACING, events=(seen,), now=SOON).timeline
    later = RolloutObservation(failed, routes(0), deployment(), deployment(OLD, release_id="r0"))
    assert decide(later, release=REPLACING, now=now, known=known).outcome is Outcome.ROLLED_BACK
    assert decide(later, release=REPLACING, now=now).outcome is None


def test_a_suspended_canary_gives_no_sign_of_life():
    said = event("skipping canary run as object is suspended", LATER + timedelta(seconds=50))
    found = look(a_canary("Progressing"), on_canary=20, events=(said,), now=LATER + timedelta(seconds=61))
    assert found.outcome is Outcome.WEDGED


def test_a_first_installation_that_never_gets_ready_ends_when_its_time_is_over():
    """Flagger says again and again that the primary is not ready; nothing else ends it."""
    first = release(condition_before="")
    said = event("web-primary.weather not ready: waiting for rollout to finish", LATER + timedelta(seconds=50))
    cd = a_canary("Initializing")
    assert look(cd, mine=first, on_canary=None, events=(said,), now=LATER + timedelta(seconds=59)).outcome is None
    found = look(cd, mine=first, on_canary=None, events=(said,), now=LATER + timedelta(seconds=61))
    assert found.outcome is Outcome.WEDGED


def test_pods_that_are_not_ready_in_an_analysis_are_flaggers_to_give_up():
    said = event("canary deployment web.weather not ready: waiting for rollout", LATER + timedelta(seconds=50))
    assert look(a_canary("Progressing"), events=(said,), now=LATER + timedelta(seconds=61)).outcome is None


def test_iterations_are_shown_with_their_number():
    cd = a_canary("Progressing", iterations=2, spec={"analysis": {"iterations": 4, "threshold": 3}})
    assert "iteration 2 of 4" in look(cd).message


def test_the_canary_may_have_another_service_name_than_its_target():
    cd = a_canary("Progressing", spec={"service": {"name": "shop"}})
    assert canary.names(cd) == ("web", "web-primary", "shop")
    assert look(cd).weights is None


def test_a_release_and_a_decision_survive_json():
    mine = release()
    assert Release.from_json(mine.to_json()) == mine
    data = look(a_canary("Failed"), events=(event("Canary failed! Scaling down web.weather", LATER),)).to_json()
    assert data["outcome"] == "rolled_back"
    assert data["weights"] == {"primary": 100, "canary": 0, "matched": False}
    assert data["timeline"][0]["kind"] == "failed"


def test_what_was_there_before_the_write_is_taken_from_the_canary():
    cd = a_canary("Succeeded", lastAppliedSpec="h1", lastPromotedSpec="h1")
    assert observation.before(cd) == {"condition_before": f"Succeeded@{stamp(LATER)}", "applied_before": "h1"}
    assert observation.before(None) == {"condition_before": "", "applied_before": ""}


def test_waiting_verbs_are_no_outcomes():
    assert not set(Verb) & {outcome.value for outcome in Outcome}
