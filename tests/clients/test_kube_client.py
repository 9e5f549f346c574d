"""What the client makes of answers: objects, repetitions, and errors that say the next step."""

from __future__ import annotations

import re

import pytest

from meshflow import errors
from meshflow.clients.kube import Expired, Kube, kube_from_config
from meshflow.objects.kinds import Kinds
from meshflow.objects.reference import Reference
from tests.clients.fake_api import FakeApi, listing, ok, reset, running, status, watch

PODS = Kinds.builtin().of("v1", "Pod")
POD = Reference("", "Pod", "shop", "web")
POD_PATH = "/api/v1/namespaces/shop/pods/web"
POD_OBJ = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}


def item(name: str, version: str = "1") -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": version}}


@pytest.fixture
async def fake():  # type: ignore[no-untyped-def]
    async with running() as pair:
        yield pair


async def test_a_list_is_read_page_by_page_and_its_items_get_their_kind(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on(
        "GET",
        "/api/v1/namespaces/shop/pods",
        listing(item("a"), token="t", version="7"),
        listing(item("b"), version="7"),
    )
    result = await kube.list(PODS, namespace="shop", page=1)
    assert [(one["kind"], one["metadata"]["name"]) for one in result.items] == [("Pod", "a"), ("Pod", "b")]
    assert result.resource_version == "7"
    assert [asked.query.get("continue") for asked in api.asked] == [None, "t"]


async def test_a_list_that_expires_between_two_pages_starts_again(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    expired = status(410, "Expired", "The provided continue parameter is too old")
    api.on("GET", "/api/v1/pods", listing(item("old"), token="t"), expired, listing(item("new")))
    assert [one["metadata"]["name"] for one in (await kube.list(PODS)).items] == ["new"]


async def test_what_does_not_exist_is_none(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("GET", POD_PATH, status(404, "NotFound", 'pods "web" not found'))
    assert await kube.get(POD) is None


async def test_a_busy_server_is_asked_again_after_the_time_it_wished(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("GET", POD_PATH, status(429, "TooManyRequests", headers={"Retry-After": "3"}), ok(POD_OBJ))
    assert await kube.get(POD) == POD_OBJ
    assert api.slept == [pytest.approx(3.05)]
    assert kube.requests["get"] == 2


async def test_a_warning_about_what_is_written_is_told_once(
    fake: tuple[FakeApi, Kube], caplog: pytest.LogCaptureFixture
) -> None:
    api, kube = fake
    for method in ("PATCH", "GET"):
        answers = [ok(POD_OBJ), ok(POD_OBJ)]
        for answer in answers:
            answer.headers.add("Warning", '299 - "rule #1 is \\"not used\\""')
            answer.headers.add("Warning", '299 - "v1beta1 is deprecated, use v1"')
        api.on(method, POD_PATH, *answers)
    await kube.apply(POD_OBJ, manager="us", dry_run=True)
    await kube.apply(POD_OBJ, manager="us")
    await kube.get(POD)
    told = [entry.getMessage() for entry in caplog.records if entry.name.startswith("meshflow")]
    assert told == [
        'fake warns about pods web in namespace shop: rule #1 is "not used"',
        "fake warns about pods web in namespace shop: v1beta1 is deprecated, use v1",
    ]


async def test_a_server_in_trouble_is_asked_again_with_growing_pauses(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    busy = status(503, "ServiceUnavailable")
    api.on("GET", POD_PATH, busy, busy, busy, ok(POD_OBJ))
    assert await kube.get(POD) == POD_OBJ
    assert api.slept == [0.5, 1.0, 2.0]


async def test_patience_ends_and_the_error_keeps_the_servers_words(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("GET", POD_PATH, status(500, "InternalError", "etcd is on fire"))
    with pytest.raises(
        errors.ServerBusy, match=r"fake: cannot get pods web in namespace shop: etcd is on fire \(HTTP 500\)"
    ):
        await kube.get(POD)
    assert kube.requests["get"] == 5


async def test_a_webhook_that_does_not_answer_is_not_waited_for_again_and_again(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    message = 'Internal error occurred: failed calling webhook "sidecar.example.com": context deadline exceeded'
    api.on("PATCH", POD_PATH, status(500, "InternalError", message))
    with pytest.raises(errors.ServerBusy, match="failed calling webhook"):
        await kube.apply(POD_OBJ, manager="meshflow")
    assert kube.requests["apply"] == 2


async def test_a_create_is_not_repeated_when_it_may_have_happened(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("POST", "/api/v1/namespaces/shop/pods", reset, ok(POD_OBJ))
    with pytest.raises(errors.Unreachable):
        await kube.create(POD_OBJ)
    assert kube.requests["create"] == 1


async def test_a_create_that_was_turned_away_is_repeated(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("POST", "/api/v1/namespaces/shop/pods", status(429, "TooManyRequests"), ok(POD_OBJ))
    assert await kube.create(POD_OBJ) == POD_OBJ


@pytest.mark.parametrize(
    "message",
    [
        "failed to create typed patch object (shop/web; /v1, Kind=Pod): .spec.foo: field not declared in schema",
        "failed to convert new object (shop/web; /v1, Kind=Pod) to proper version: unable to convert "
        "unstructured object to /v1, Kind=Pod: quantities must match the regular expression",
    ],
)
async def test_an_apply_of_an_object_that_does_not_fit_the_schema_is_not_repeated(
    fake: tuple[FakeApi, Kube], message: str
) -> None:
    """The server calls it an internal error; it is ours."""
    api, kube = fake
    api.on("PATCH", POD_PATH, status(500, "", message))
    with pytest.raises(errors.Rejected, match=rf"{re.escape(message)}\. Correct the object"):
        await kube.apply(POD_OBJ, manager="meshflow")
    assert kube.requests["apply"] == 1


async def test_an_apply_is_repeated_after_a_broken_connection(fake: tuple[FakeApi, Kube]) -> None:
    """Applying twice does what applying once does."""
    api, kube = fake
    api.on("PATCH", POD_PATH, reset, ok(POD_OBJ))
    assert await kube.apply(POD_OBJ, manager="meshflow") == POD_OBJ
    assert kube.requests["apply"] == 2


async def test_an_apply_says_who_it_is_and_whether_it_is_for_real(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("PATCH", POD_PATH, ok(POD_OBJ))
    await kube.apply(POD_OBJ, manager="meshflow", dry_run=True, force=True)
    (asked,) = api.asked
    assert asked.query == {"fieldManager": "meshflow", "force": "true", "dryRun": "All", "fieldValidation": "Strict"}
    assert asked.headers["content-type"] == "application/apply-patch+yaml"
    assert asked.headers["authorization"] == "Bearer s3cret"
    assert asked.body == POD_OBJ
    assert kube.requests == {"dry-run": 1}


async def test_a_conflict_names_managers_and_fields(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm" using v1', "field": ".spec.a"},
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "x" with subresource "scale" using v1',
            "field": ".spec.b",
        },
    ]
    api.on("PATCH", POD_PATH, status(409, "Conflict", "Apply failed with 2 conflicts", causes=causes))
    with pytest.raises(errors.Conflict) as caught:
        await kube.apply(POD_OBJ, manager="meshflow")
    assert caught.value.fields == (("helm", "spec.a"), ("x", "spec.b"))


async def test_an_existing_name_is_no_field_conflict(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("POST", "/api/v1/namespaces/shop/pods", status(409, "AlreadyExists", 'pods "web" already exists'))
    with pytest.raises(errors.Rejected) as caught:
        await kube.create(POD_OBJ)
    assert not isinstance(caught.value, errors.Conflict)
    assert caught.value.status == 409


async def test_a_race_that_the_server_lost_is_tried_again(fake: tuple[FakeApi, Kube]) -> None:
    """It reads, merges and writes an apply; when a controller keeps writing in between it gives up with a 409."""
    api, kube = fake
    message = "Operation cannot be fulfilled on pods: the object has been modified; please apply your changes to the "
    lost = status(409, "Conflict", f"{message}latest version and try again")
    api.on("PATCH", POD_PATH, lost, lost, ok(POD_OBJ))
    assert await kube.apply(POD_OBJ, manager="meshflow") == POD_OBJ
    assert kube.requests["apply"] == 3


async def test_what_is_no_list_is_not_taken_for_an_empty_one(fake: tuple[FakeApi, Kube]) -> None:
    """A portal on the way that answers 200 to everything would make us believe that nothing exists."""
    api, kube = fake
    api.on("GET", "/api/v1/pods", ok({"welcome": "please log in"}))
    with pytest.raises(errors.Rejected, match="no list; is the address that of a Kubernetes API"):
        await kube.list(PODS)


async def test_an_expired_token_says_what_to_renew(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("GET", POD_PATH, status(401, "Unauthorized"))
    with pytest.raises(
        errors.Unauthorized, match=r"fake \(http://127\.0\.0\.1:\d+\) does not accept.*Renew it"
    ) as caught:
        await kube.get(POD)
    assert "s3cret" not in str(caught.value)
    assert kube.requests["get"] == 1


async def test_a_missing_permission_names_verb_resource_and_namespace(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    message = 'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group ""'
    api.on("GET", "/api/v1/namespaces/shop/pods", status(403, "Forbidden", message))
    with pytest.raises(
        errors.Forbidden, match=r"fake: user system:serviceaccount:a:b may not list pods in namespace shop\. Grant"
    ):
        await kube.list(PODS, namespace="shop")


async def test_a_denial_by_admission_is_no_missing_permission(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("PATCH", POD_PATH, status(403, "", 'admission webhook "policy.example.com" denied the request: no'))
    with pytest.raises(errors.Rejected, match=r"policy\.example\.com"):
        await kube.apply(POD_OBJ, manager="meshflow")


async def test_an_exceeded_quota_is_no_missing_permission(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("PATCH", POD_PATH, status(403, "Forbidden", 'pods "web" is forbidden: exceeded quota: small'))
    with pytest.raises(errors.Rejected, match="exceeded quota"):
        await kube.apply(POD_OBJ, manager="meshflow")


async def test_a_terminating_namespace_is_worth_waiting_for(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    causes = [{"reason": "NamespaceTerminating", "message": "namespace shop is being terminated"}]
    api.on("PATCH", POD_PATH, status(403, "Forbidden", "forbidden: namespace is being terminated", causes=causes))
    with pytest.raises(errors.Temporary, match="Wait until the namespace is gone"):
        await kube.apply(POD_OBJ, manager="meshflow")


async def test_a_refused_secret_does_not_show_its_values(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    causes = [{"reason": "FieldValueInvalid", "message": 'Invalid value: "hunter2"', "field": "data[password]"}]
    path = "/api/v1/namespaces/shop/secrets/key"
    api.on("PATCH", path, status(422, "Invalid", 'Secret "key" is invalid: "hunter2"', causes=causes))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "shop"}}
    with pytest.raises(errors.Rejected, match=r"data\[password\]") as caught:
        await kube.apply(secret, manager="meshflow")
    assert "hunter2" not in str(caught.value)


async def test_a_refused_secret_keeps_its_values_also_where_no_status_comes_back(
    fake: tuple[FakeApi, Kube],
) -> None:
    api, kube = fake
    from aiohttp import web

    api.on("PATCH", "/api/v1/namespaces/shop/secrets/key", web.Response(status=400, text="cannot read hunter2"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "shop"}}
    with pytest.raises(errors.Rejected) as caught:
        await kube.apply(secret, manager="meshflow")
    assert "hunter2" not in str(caught.value)


async def test_an_unreachable_cluster_names_host_and_next_step(tmp_path) -> None:  # type: ignore[no-untyped-def]
    config = tmp_path / "config"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: s3cret}}]}"
    )
    async with kube_from_config(config, cluster="home") as found:
        kube = Kube(found._transport._api, cluster="home", sleep=FakeApi().sleep)
        with pytest.raises(
            errors.Unreachable, match=r"home: no connection to http://127\.0\.0\.1:1 .*Check the server's address"
        ):
            await kube.version()


async def test_a_kubeconfig_without_the_context_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    config = tmp_path / "config"
    config.write_text("{apiVersion: v1, kind: Config, contexts: [], clusters: [], users: []}")
    with pytest.raises(errors.InvalidInput, match="Point to a kubeconfig"):
        async with kube_from_config(config, "nowhere"):
            pass


async def test_a_watch_tells_events_and_ends_when_the_server_ends_it(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    events = [
        {"type": "ADDED", "object": item("a", "5")},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
    ]
    api.on("GET", "/api/v1/pods", watch(*events))
    seen = [event async for event in kube.watch(PODS, resource_version="4", timeout=30)]
    assert [(event.type, event.obj["kind"]) for event in seen] == [("ADDED", "Pod"), ("BOOKMARK", "Pod")]
    assert api.asked[0].query["allowWatchBookmarks"] == "true"
    assert api.asked[0].query["timeoutSeconds"] == "30"


async def test_a_watch_that_is_too_old_is_expired(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    gone = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"}
    api.on("GET", "/api/v1/pods", watch({"type": "ERROR", "object": gone}))
    with pytest.raises(Expired):
        async for _ in kube.watch(PODS, resource_version="1"):
            pass


async def test_a_watch_that_breaks_off_is_unreachable(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("GET", "/api/v1/pods", watch({"type": "ADDED", "object": item("a")}, broken=True))
    seen = []

    async def follow() -> None:
        async for event in kube.watch(PODS, resource_version="1"):
            seen.append(event.obj["metadata"]["name"])

    with pytest.raises(errors.Unreachable):
        await follow()
    assert seen == ["a"]


async def test_an_event_larger_than_any_buffer_comes_through(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    large = item("a") | {"data": "x" * 3_000_000}
    api.on("GET", "/api/v1/pods", watch({"type": "ADDED", "object": large}))
    (event,) = [event async for event in kube.watch(PODS, resource_version="1")]
    assert len(event.obj["data"]) == 3_000_000


async def test_a_service_behind_the_proxy_answers_with_its_own_errors(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    path = "/api/v1/namespaces/istio-system/services/prometheus:9090/proxy/api/v1/query"
    from aiohttp import web

    api.on("GET", path, web.Response(status=400, text='{"status":"error"}'))
    answer = await kube.proxy("istio-system", "prometheus", 9090, "/api/v1/query", params={"query": "up"})
    assert (answer.status, answer.json()) == (400, {"status": "error"})
    assert api.asked[0].query == {"query": "up"}


async def test_a_proxy_without_a_service_is_the_api_servers_error(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    path = "/api/v1/namespaces/istio-system/services/kiali:20001/proxy/healthz"
    api.on("GET", path, status(503, "ServiceUnavailable", 'no endpoints available for service "kiali"'))
    with pytest.raises(
        errors.ServerBusy, match="cannot proxy services/proxy kiali:20001 in namespace istio-system: no end"
    ):
        await kube.proxy("istio-system", "kiali", 20001, "healthz")


async def test_deleting_what_is_gone_says_so(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("DELETE", POD_PATH, status(404, "NotFound"))
    assert await kube.delete(POD, uid="u1") is False
    assert api.asked[0].body == {"propagationPolicy": "Background", "preconditions": {"uid": "u1"}}


async def test_a_kind_that_no_table_has_is_looked_up_in_the_cluster(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    api.on("GET", "/api", ok({"items": []}))
    resources = [
        {
            "resource": "geese",
            "scope": "Namespaced",
            "responseKind": {"group": "x.io", "version": "v1", "kind": "Goose"},
        }
    ]
    groups = [{"metadata": {"name": "x.io"}, "versions": [{"version": "v1", "resources": resources}]}]
    api.on("GET", "/apis", ok({"items": groups}))
    goose = {"apiVersion": "x.io/v1", "kind": "Goose", "metadata": {"name": "m", "namespace": "shop"}}
    api.on("GET", "/apis/x.io/v1/namespaces/shop/geese/m", ok(goose))
    assert await kube.get(Reference("x.io", "Goose", "shop", "m")) == goose
    assert await kube.get(Reference("x.io", "Duck", "shop", "m")) is None


async def test_what_answers_without_json_is_no_kubernetes(fake: tuple[FakeApi, Kube]) -> None:
    api, kube = fake
    from aiohttp import web

    api.on("GET", "/version", web.Response(text="<html>hello</html>"))
    with pytest.raises(errors.Rejected, match="is the address that of a Kubernetes API"):
        await kube.version()


async def test_a_webhook_that_fails_after_other_trouble_ends_with_its_own_words(fake):
    """As when API server and istiod start again together: each failure has its own patience."""
    api, kube = fake
    hook = status(500, "InternalError", 'failed calling webhook "x": no endpoints available')
    busy = status(503, "ServiceUnavailable", "shutting down")
    api.on("PATCH", POD_PATH, busy, busy, hook)
    with pytest.raises(errors.ServerBusy, match="failed calling webhook"):
        await kube.apply(POD_OBJ, manager="meshflow")
    assert kube.requests["apply"] == 3
