"""Admission webhooks behind Services, answered inside the process."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

CONFIGS = "/api/v1/namespaces/shop/configmaps"
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def serve(api: Any, answer: Answer) -> None:
    """Let `answer(request)` respond behind the Service hook in the namespace shop."""

    async def review(request: Request) -> JSONResponse:
        asked = (await request.json())["request"]
        return JSONResponse({"response": {"uid": asked["uid"], **await answer(asked)}})

    api.network.register("shop", "hook", 443, Starlette(routes=[Route("/review", review, methods=["POST"])]))


def configuration(kind: str, *, resources: list[str] | None = None, **more: Any) -> dict[str, Any]:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": resources or ["configmaps"]}
    webhook = {
        "name": "hook.example.test",
        "clientConfig": {"service": {"name": "hook", "namespace": "shop", "path": "/review"}},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }
    api_version = "admissionregistration.k8s.io/v1"
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "hook"}, "webhooks": [webhook]}


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


async def test_what_a_webhook_adds_belongs_to_no_manager(api: Any) -> None:
    async def add(asked: dict[str, Any]) -> dict[str, Any]:
        return patch({"op": "add", "path": "/data", "value": {"by": "hook"}})

    serve(api, add)
    await api.inside.create(configuration("MutatingWebhookConfiguration"))
    made = await api.ask(
        "POST", CONFIGS, {"metadata": {"name": "c", "labels": {"x": "y"}}}, code=201, fieldManager="me"
    )
    assert made["data"] == {"by": "hook"}
    assert [list(entry["fieldsV1"]) for entry in made["metadata"]["managedFields"]] == [["f:metadata"]]


async def test_a_patch_starts_again_when_the_object_moves_while_a_webhook_thinks(api: Any) -> None:
    await api.config("c", a="1")
    moved = False

    async def think(asked: dict[str, Any]) -> dict[str, Any]:
        nonlocal moved
        if asked["operation"] == "UPDATE" and not moved:
            moved = True
            await api.inside.patch("v1", "ConfigMap", "c", "shop", {"data": {"b": "2"}})
        return {"allowed": True}

    serve(api, think)
    await api.inside.create(configuration("ValidatingWebhookConfiguration"))
    after = await api.patch(f"{CONFIGS}/c", {"data": {"a": "3"}})
    assert after["data"] == {"a": "3", "b": "2"}


async def test_a_put_with_a_version_conflicts_when_the_object_moves_meanwhile(api: Any) -> None:
    made = await api.config("c", a="1")
    moved = False

    async def think(asked: dict[str, Any]) -> dict[str, Any]:
        nonlocal moved
        if not moved:
            moved = True
            await api.inside.patch("v1", "ConfigMap", "c", "shop", {"data": {"b": "2"}})
        return {"allowed": True}

    serve(api, think)
    await api.inside.create(configuration("ValidatingWebhookConfiguration"))
    await api.ask("PUT", f"{CONFIGS}/c", {**made, "data": {"a": "3"}}, code=409)


@pytest.mark.parametrize(("resources", "asked"), [(["configmaps/*"], 0), (["*"], 1), (["configmaps"], 1), (["*/*"], 1)])
async def test_subresource_patterns_do_not_cover_the_resource_itself(
    api: Any, resources: list[str], asked: int
) -> None:
    names = []

    async def note(request: dict[str, Any]) -> dict[str, Any]:
        names.append(request["name"])
        return {"allowed": True}

    serve(api, note)
    await api.inside.create(configuration("ValidatingWebhookConfiguration", resources=resources))
    await api.config("c")
    assert len(names) == asked


async def test_a_webhook_with_side_effects_refuses_dry_runs(api: Any) -> None:
    serve(api, lambda asked: None)  # type: ignore[arg-type,return-value]
    configured = configuration("ValidatingWebhookConfiguration")
    configured["webhooks"][0]["sideEffects"] = "NoneOnDryRun"
    await api.inside.create(configured)
    record = api.server.store.get(("admissionregistration.k8s.io", "validatingwebhookconfigurations"), None, "hook")
    record.obj["webhooks"][0]["sideEffects"] = "Unknown"  # as v1beta1 could store it
    refused = await api.ask("POST", CONFIGS, {"metadata": {"name": "c"}}, code=400, dryRun="All")
    assert "does not support dry run" in refused["message"]


async def test_a_webhook_that_nobody_serves_is_an_error_unless_it_may_be_ignored(api: Any) -> None:
    await api.inside.create(configuration("ValidatingWebhookConfiguration"))
    refused = await api.config("c", code=500)
    assert refused["message"].startswith(
        'Internal error occurred: failed calling webhook "hook.example.test": failed to call webhook: '
        'Post "https://hook.shop.svc:443/review?timeout=10s": '
    )
    ignore = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook"
    await api.patch(path, ignore, kind="json")
    await api.config("c")


async def test_an_outage_on_request_silences_a_webhook_that_answers(api: Any) -> None:
    async def allow(asked: dict[str, Any]) -> dict[str, Any]:
        return {"allowed": True}

    serve(api, allow)
    await api.inside.create(configuration("ValidatingWebhookConfiguration"))
    await api.config("before")
    api.server.admission.outage = True
    await api.config("during", code=500)
