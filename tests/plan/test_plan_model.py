"""A plan can be counted and shown."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow.objects.parsing import Desired
from meshflow.objects.reference import Reference
from meshflow.plan import digest, managers, render
from meshflow.plan.model import Action, Change, Entry, Plan
from meshflow.plan.stages import stages
from tests.plan import examples

TEXT = st.text(max_size=20)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), TEXT, st.lists(TEXT, max_size=3))
CHANGES = st.builds(Change, TEXT, VALUES, VALUES, st.none() | TEXT, st.none() | TEXT)
REFERENCES = st.builds(Reference, TEXT, TEXT, st.none() | TEXT, TEXT)
ENTRIES = st.builds(
    Entry,
    REFERENCES,
    st.sampled_from(Action),
    st.lists(CHANGES, max_size=3).map(tuple),
    st.none() | TEXT,
    TEXT,
    st.lists(TEXT, max_size=2).map(tuple),
    st.booleans(),
)
PLANS = st.builds(Plan, st.lists(ENTRIES, max_size=6).map(tuple), TEXT, TEXT, TEXT, TEXT)

EXAMPLE = Plan(
    entries=(
        Entry(Reference("", "Namespace", None, "shop"), Action.UNCHANGED),
        Entry(
            Reference("apps", "Deployment", "shop", "web"),
            Action.CONFIGURE,
            (
                Change(
                    'spec.template.spec.containers[name="main"].image',
                    "web:1",
                    "web:2",
                    "kubectl-edit",
                    "2026-08-01T10:00:00Z",
                ),
                Change("spec.minReadySeconds", None, 5),
            ),
            origin="services/web.yaml:3",
        ),
        Entry(Reference("", "Secret", "shop", "key"), Action.CONFLICT, message="helm owns data.a"),
        Entry(Reference("", "ConfigMap", "shop", "old"), Action.PRUNE),
    ),
    cluster="home",
    digest="abc",
    set_name="shop",
)


@given(PLANS)
def test_rendering_is_deterministic_and_without_colour_plain(plan: Plan) -> None:
    assert render.text(plan) == render.text(copy.deepcopy(plan))
    told = render.text(EXAMPLE, colour=False)
    assert "\x1b" not in told


def test_a_plan_reads_like_a_diff() -> None:
    assert render.text(EXAMPLE).splitlines() == [
        "~ Deployment/shop/web configure (services/web.yaml:3)",
        '    spec.template.spec.containers[name="main"].image',
        "      - web:1    (kubectl-edit, 2026-08-01T10:00:00Z)",
        "      + web:2",
        "    spec.minReadySeconds",
        "      + 5",
        "! Secret/shop/key conflict: helm owns data.a",
        "- ConfigMap/shop/old prune",
        "1 to configure, 1 to prune, 1 in conflict, 1 unchanged",
    ]


def test_colours_are_there_on_request() -> None:
    assert render.text(EXAMPLE, colour=True).splitlines()[0].startswith("\x1b[33m~ ")


def test_a_text_of_many_lines_shows_only_what_changed_in_it() -> None:
    old = "\n".join(f"line {number}" for number in range(50))
    entry = Entry(
        Reference("", "ConfigMap", "a", "b"),
        Action.CONFIGURE,
        (Change("data.x", old, old.replace("line 25", "other")),),
    )
    told = render.text(Plan((entry,), "home", "abc", "shop"))
    assert "      - line 25" in told
    assert "      + other" in told
    assert "line 10" not in told


def test_a_long_plan_says_how_much_is_left_out() -> None:
    told = render.text(EXAMPLE, limit=2).splitlines()
    assert told[2] == "… 6 more lines"
    assert told[-1].startswith("1 to configure")


@given(PLANS, st.integers(2_000, 4_000))
def test_the_brief_keeps_its_limit(plan: Plan, limit: int) -> None:
    brief = render.brief(plan, limit=limit)
    assert len(json.dumps(brief)) <= max(limit, 500)
    assert len(brief["entries"]) + brief["left_out"] == len(plan.changed)


def test_a_brief_of_a_huge_plan_fits_an_xcom() -> None:
    changes = tuple(Change(f"data.k{number}", "x" * 5_000, "y" * 5_000) for number in range(100))
    entries = tuple(Entry(Reference("", "ConfigMap", "a", str(n)), Action.CONFIGURE, changes) for n in range(50))
    brief = render.brief(Plan(entries, "home", "abc", "shop"))
    assert len(json.dumps(brief)) < 60_000
    assert brief["counts"]["configure"] == 50
    assert brief["left_out"] > 0


@pytest.mark.parametrize("action", Action)
def test_every_action_has_its_sentence(action: Action) -> None:
    assert action.sentence.endswith(".")


def test_the_digest_does_not_depend_on_the_order_of_objects() -> None:
    one, other = Desired(examples.deployment(), "a"), Desired(examples.service(), "b")
    assert digest.of_set([one, other]) == digest.of_set([other, one])
    assert digest.of_set([one]) != digest.of_set([other])


def test_stages_put_definitions_first_and_webhooks_last() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    found = stages(
        Desired(obj, "x") for obj in (examples.webhook(), examples.deployment(), examples.service(), namespace)
    )
    assert [(stage.name, [reference.kind for reference in stage.references]) for stage in found] == [
        ("definitions", ["Namespace"]),
        ("main", ["Service", "Deployment"]),
        ("webhooks", ["MutatingWebhookConfiguration"]),
    ]


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ("kubectl-client-side-apply", "kubectl-client-side-apply (kubectl apply)"),
        ("kubectl-rollout", "kubectl-rollout (kubectl rollout)"),
        ("helm", "helm"),
        ("pilot-discovery", "pilot-discovery (istiod)"),
        ("stranger", "stranger"),
    ],
)
def test_managers_are_named_so_that_people_know_them(manager: str, words: str) -> None:
    assert managers.described(manager) == words


def test_a_value_cannot_paint_over_the_rest_of_the_plan() -> None:
    """A terminal's commands and characters that turn the direction of writing come from whoever edited the object."""
    assert render.shown("a\x1b[2Jb\r\u202ec\td") == "a\\x1b[2Jb\\r\\u202ec\\td"
    assert render.shown("grüße ☀ 日本") == "grüße ☀ 日本"
