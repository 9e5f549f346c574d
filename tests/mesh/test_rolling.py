"""Releases that nobody analyses: what health alone does not show."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow.mesh import rolling

IMAGE = "ghcr.io/acme/web@sha256:" + "a" * 64


def workload(*, image: str = IMAGE, spec: dict[str, Any] | None = None, **status: int) -> dict[str, Any]:
    counts = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 2, "template": template, **(spec or {})},
        "status": counts,
    }


def ended(live: dict[str, Any] | None) -> tuple[str, str]:
    found = rolling.ended(live, image=IMAGE, service="web") or {"outcome": "fine", "message": ""}
    return found["outcome"], found["message"]


def test_all_pods_of_the_image_are_all_that_is_asked_for():
    assert ended(workload()) == ("fine", "")


@pytest.mark.parametrize(
    ("live", "outcome", "words"),
    [
        (None, "aborted", "deleted"),
        (workload(image="ghcr.io/acme/web:hotfix"), "superseded", "another image"),
        (workload(spec={"updateStrategy": {"type": "OnDelete"}}, updatedReplicas=0), "wedged", "OnDelete waits"),
        (
            workload(spec={"updateStrategy": {"rollingUpdate": {"partition": 1}}}, updatedReplicas=1),
            "wedged",
            "1 out of 2 new replicas are available; its partition 1",
        ),
        (workload(spec={"replicas": 0}, replicas=0, updatedReplicas=0, availableReplicas=0), "unknown", "nobody runs"),
    ],
    ids=["deleted", "changed by hand", "waits for deletion", "held by a partition", "scaled to nothing"],
)
def test_what_is_healthy_and_yet_does_not_run_it_is_no_success(live, outcome, words):
    found, message = ended(live)
    assert found == outcome
    assert words in message


def routes(on_canary: int) -> dict[str, Any]:
    weights = {"web-primary": 100 - on_canary, "web-canary": on_canary}
    parts = [{"destination": {"host": host}, "weight": weight} for host, weight in weights.items()]
    return {"spec": {"http": [{"route": parts}]}}


@pytest.mark.parametrize("on_canary", [40, 100])
def test_traffic_on_the_canary_while_nothing_is_released_is_told(on_canary):
    found = rolling.astray(routes(on_canary), routes="web", service="web")
    assert found
    assert found["outcome"] == "failed_on_canary"
    assert f"{on_canary}% canary" in found["message"]


def test_traffic_on_the_primary_is_where_it_belongs():
    assert rolling.astray(routes(0), routes="web", service="web") is None
    assert rolling.astray(None, routes="web", service="web") is None
