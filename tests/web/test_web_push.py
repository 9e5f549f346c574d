"""The image-push webhook: who is let in, and what becomes of a push."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from meshflow.release.policy import Running, Waiting
from meshflow.web.push import LIMIT
from tests.web.conftest import DIGEST, SECRET, World

OTHER = f"sha256:{'b' * 64}"
RUN = "rollout__web__aaaaaaaaaaaa"
BEARER = {"Authorization": f"Bearer {SECRET}"}


def envelope(repository: str = "acme/web", tag: str = "2", digest: str = DIGEST) -> dict[str, Any]:
    target = {"repository": repository, "tag": tag, "digest": digest}
    return {"events": [{"action": "push", "target": target, "request": {"host": "ghcr.io"}}]}


def send(client: TestClient, payload: Any, *, registry: str = "distribution", headers: Any = BEARER) -> Any:
    return client.post(f"/meshflow/hooks/{registry}", content=json.dumps(payload), headers=headers)


def results(answer: Any) -> dict[str, str]:
    return {item["service"]: item["result"] for item in answer.json()["services"]}


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def test_a_push_starts_the_rollout_of_the_service_that_follows_it(client: TestClient, world: World) -> None:
    answer = send(client, envelope())
    assert (answer.status_code, results(answer)) == (200, {"web": "started"})
    assert world.runs.started == {
        RUN: {
            "dag": "rollout_web",
            "by": "distribution",
            "note": "push of ghcr.io/acme/web:2",
            "image": f"ghcr.io/acme/web:2@{DIGEST}",
            "reason": "push of ghcr.io/acme/web:2",
            "requested_by": "push:distribution",
        }
    }


def test_a_push_that_is_delivered_again_is_known_and_starts_nothing(client: TestClient, world: World) -> None:
    send(client, envelope())
    again = send(client, envelope())
    (told,) = again.json()["services"]
    assert (again.status_code, told["result"], told["status"], told["run"]) == (200, "already known", 409, RUN)
    assert len(world.runs.started) == 1


def test_two_deliveries_at_the_same_moment_are_one_rollout(client: TestClient, world: World) -> None:
    send(client, envelope())
    world.runs.raced = True  # both looked before either had started it
    assert results(send(client, envelope())) == {"web": "already known"}
    assert len(world.runs.started) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic " + SECRET},
        signature(b"another body"),
        signature(json.dumps(envelope()).encode(), "another secret"),
        {"X-Hub-Signature-256": "sha256="},
    ],
)
def test_who_does_not_know_the_secret_starts_nothing(client: TestClient, world: World, headers) -> None:
    answer = send(client, envelope(), headers=headers)
    assert answer.status_code == 401
    assert not world.runs.started
    assert SECRET not in answer.text


def test_a_body_signed_with_the_secret_is_let_in(client: TestClient) -> None:
    body = json.dumps(envelope()).encode()
    assert results(send(client, envelope(), headers=signature(body))) == {"web": "started"}


def test_harbors_bare_authorization_header_is_let_in(client: TestClient) -> None:
    assert send(client, envelope(), headers={"Authorization": SECRET}).status_code == 200


@pytest.mark.parametrize("secret", [None])
def test_without_a_secret_nobody_is_let_in(client: TestClient, world: World, secret) -> None:
    world.secret = secret
    answer = send(client, envelope(), headers={"Authorization": "Bearer None"})
    assert answer.status_code == 503
    assert "make the Airflow connection meshflow_webhook" in answer.json()["detail"]
    assert not world.runs.started


def test_too_much_is_not_read_to_its_end(client: TestClient) -> None:
    body = b"x" * (LIMIT + 1)
    assert client.post("/meshflow/hooks/ghcr", content=body, headers=signature(body)).status_code == 413


@pytest.mark.parametrize(
    ("registry", "body", "said"),
    [
        ("distribution", "{", "no JSON"),
        ("distribution", "[]", "not a JSON object"),
        ("distribution", "[" * 200_000, "no JSON"),
        ("nexus", "{}", "no such registry"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(client: TestClient, registry, body, said) -> None:
    answer = client.post(f"/meshflow/hooks/{registry}", content=body, headers=BEARER)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_repository_that_nobody_follows_starts_nothing(client: TestClient, world: World) -> None:
    answer = send(client, envelope("acme/other"))
    assert answer.json() == {"pushes": [f"ghcr.io/acme/other:2@{DIGEST}"], "services": []}
    assert not world.runs.started


def test_every_service_that_follows_the_repository_gets_the_push(client: TestClient, world: World) -> None:
    world.declare(overrides={"api": {"image": "ghcr.io/acme/web"}})
    assert results(send(client, envelope())) == {"api": "started", "web": "started"}


def test_a_rule_for_tags_chooses_among_them(client: TestClient, world: World) -> None:
    world.declare(tags="v*", overrides={"api": {"image": "ghcr.io/acme/web", "tags": "api-*"}})
    assert results(send(client, envelope(tag="api-7"))) == {"api": "started"}
    assert results(send(client, envelope(tag="v7", digest=OTHER))) == {"web": "started"}
    assert results(send(client, envelope(tag="latest"))) == {}


def test_a_registry_that_does_not_say_the_digest_is_asked_for_it(client: TestClient, world: World) -> None:
    world.service("shop", "docker.io/acme/shop:1")
    world.digests["docker.io/acme/shop:2"] = DIGEST
    payload = {"repository": {"repo_name": "acme/shop"}, "push_data": {"tag": "2"}}
    assert results(send(client, payload, registry="dockerhub")) == {"shop": "started"}
    assert world.runs.started["rollout__shop__aaaaaaaaaaaa"]["image"] == f"docker.io/acme/shop:2@{DIGEST}"


def test_one_service_that_fails_holds_up_no_other_and_is_tried_again(client: TestClient, world: World) -> None:
    world.declare(overrides={"api": {"image": "ghcr.io/acme/web"}})
    world.runs.unknown = {"rollout_api"}
    answer = send(client, envelope())
    assert (answer.status_code, results(answer)) == (503, {"api": "failed", "web": "started"})
    world.runs.unknown = set()
    again = send(client, envelope())
    assert (again.status_code, results(again)) == (200, {"api": "started", "web": "already known"})


def test_manifests_that_cannot_be_read_leave_the_other_services_alone(client: TestClient, world: World) -> None:
    (world.root / "include/manifests/services/api/all.yaml").write_text("kind: [")
    assert results(send(client, envelope())) == {"web": "started"}


@pytest.mark.parametrize(
    ("policy", "result", "dropped"),
    [
        ("queue", "waits", []),
        ("coalesce", "waits", ["older"]),
        ("reject", "refused", []),
    ],
)
def test_a_push_that_meets_a_running_rollout_follows_the_policy(client, world, policy, result, dropped) -> None:
    world.declare(policy=policy)
    world.runs.running, world.runs.waiting = Running("now", OTHER), (Waiting("older", f"sha256:{'c' * 64}"),)
    assert results(send(client, envelope())) == {"web": result}
    assert world.runs.dropped == dropped
    assert (RUN in world.runs.started) is (result == "waits")


@pytest.mark.parametrize(
    ("phase", "result", "ended"), [("Progressing", "replaces", ["now"]), ("Promoting", "waits", [])]
)
def test_a_push_supersedes_an_analysis_and_never_a_promotion(client, world, phase, result, ended) -> None:
    world.declare(policy="supersede")
    world.phase, world.runs.running = phase, Running("now", OTHER)
    world.runs.waiting = (Waiting("older", f"sha256:{'c' * 64}"),)
    assert results(send(client, envelope())) == {"web": result}
    assert (world.runs.superseded, world.runs.dropped) == (ended, ["older"])
    assert world.runs.started[RUN].get("supersede", False) is (result == "replaces")


def test_a_push_waits_behind_what_somebody_asked_for(client: TestClient, world: World) -> None:
    world.declare(policy="supersede")
    world.runs.running = Running("manual__rollback", OTHER, pushed=False)
    assert results(send(client, envelope())) == {"web": "waits"}
    assert not world.runs.superseded


def test_a_digest_that_a_person_already_rolls_out_is_not_queued_behind_it(client: TestClient, world: World) -> None:
    world.runs.running = Running("manual", DIGEST)
    assert results(send(client, envelope())) == {"web": "ignored"}
    assert not world.runs.started
