"""Tokens with fewer rights, or with an end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sandbox.api.access import Rule, User

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def limited(api: Any, *rules: Rule, **more: Any) -> dict[str, str]:
    token = api.access.issue(User("reader", ("system:authenticated",), rules, **more))
    header: dict[str, str] = api.bearer(token)
    return header


async def test_what_is_not_allowed_is_forbidden_in_the_servers_words(api: Any) -> None:
    headers = limited(api, Rule(("get", "list"), ("configmaps",), "shop"))
    assert (await api.http.get("/api/v1/namespaces/shop/configmaps", headers=headers)).status_code == 200
    answer = await api.http.get("/apis/apps/v1/namespaces/shop/deployments", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'deployments.apps is forbidden: User "reader" cannot list resource "deployments" in API group "apps" '
        'in the namespace "shop"'
    )


async def test_rights_on_a_resource_do_not_reach_its_subresources(api: Any) -> None:
    await api.config("c")
    headers = limited(api, Rule(("*",), ("deployments",)))
    answer = await api.http.get("/apis/apps/v1/namespaces/shop/deployments/d/scale", headers=headers)
    assert answer.status_code == 403


async def test_a_review_tells_what_the_token_may_do(api: Any) -> None:
    headers = limited(api, Rule(("get",), ("pods",)))
    for verb, allowed in (("get", True), ("delete", False)):
        spec = {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "shop"}}
        answer = await api.http.post(REVIEWS, json={"spec": spec}, headers=headers)
        assert answer.json()["status"]["allowed"] is allowed


async def test_a_token_that_ran_out_is_unauthorized(api: Any) -> None:
    headers = limited(api, Rule(("*",)), expires=api.clock.now() + timedelta(seconds=5))
    assert (await api.http.get("/version", headers=headers)).status_code == 200
    await api.clock.advance(6)
    assert (await api.http.get("/version", headers=headers)).status_code == 401


async def test_a_revoked_token_is_unauthorized_and_the_administrators_cannot_be_revoked(api: Any) -> None:
    token = api.access.issue(User("guest"))
    assert api.access.revoke(token)
    assert (await api.http.get("/version", headers=api.bearer(token))).status_code == 401
    assert not api.access.revoke(api.access.token)
