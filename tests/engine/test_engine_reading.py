"""Live objects in few requests, and what is remembered between two plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshflow import errors
from meshflow.clients.kube import Kube
from meshflow.engine import planner, reading
from meshflow.engine.planner import SetRules
from meshflow.engine.verdicts import Verdicts
from meshflow.objects.reference import Reference
from tests.clients.fake_api import listing, ok, running, status
from tests.engine.examples import actions, declared, plan_and_apply

Obj = dict[str, Any]


def item(namespace: str, name: str) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"}}


def pods(*places: str) -> list[Reference]:
    return [Reference("", "Pod", *place.split("/")) for place in places]


async def test_a_single_object_is_fetched_and_several_of_a_namespace_are_listed_there() -> None:
    async with running() as (api, kube):
        api.on("GET", "/api/v1/namespaces/a/pods", listing(item("a", "x"), item("a", "y"), item("a", "other")))
        api.on("GET", "/api/v1/namespaces/a/services/s", ok({"apiVersion": "v1", "kind": "Service", **item("a", "s")}))
        wanted = [*pods("a/x", "a/y", "a/missing"), Reference("", "Service", "a", "s")]
        found = await reading.read(kube, wanted)
        assert {str(reference) for reference in found} == {"Pod/a/x", "Pod/a/y", "Service/a/s"}
        assert kube.requests == {"list": 1, "get": 1}


async def test_objects_of_many_namespaces_are_listed_at_once() -> None:
    async with running() as (api, kube):
        api.on("GET", "/api/v1/pods", listing(item("a", "x"), item("b", "y"), item("c", "z")))
        assert len(await reading.read(kube, pods("a/x", "b/y", "c/z"))) == 3
        assert kube.requests == {"list": 1}


async def test_an_account_that_may_not_list_everywhere_is_asked_for_its_namespaces() -> None:
    async with running() as (api, kube):
        message = 'pods is forbidden: User "u" cannot list resource "pods" in API group "" at the cluster scope'
        api.on("GET", "/api/v1/pods", status(403, "Forbidden", message))
        api.on("GET", "/api/v1/namespaces/a/pods", listing(item("a", "x")))
        api.on("GET", "/api/v1/namespaces/b/pods", listing(item("b", "y")))
        assert len(await reading.read(kube, pods("a/x", "b/y"))) == 2


async def test_an_account_that_may_not_list_at_all_is_told_what_it_lacks() -> None:
    async with running() as (api, kube):
        message = 'pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "a"'
        api.on("GET", "/api/v1/namespaces/a/pods", status(403, "Forbidden", message))
        with pytest.raises(errors.Forbidden, match="user u may not list pods in namespace a"):
            await reading.read(kube, pods("a/x", "a/y"))


async def test_secrets_are_never_listed_across_namespaces() -> None:
    async with running() as (api, kube):
        for namespace in "ab":
            api.on("GET", f"/api/v1/namespaces/{namespace}/secrets", listing(item(namespace, "x")))
        wanted = [Reference("", "Secret", namespace, "x") for namespace in "ab"]
        assert len(await reading.read(kube, wanted)) == 2
        assert all("/namespaces/" in asked.path for asked in api.asked)


async def test_a_kind_that_is_not_installed_has_no_objects() -> None:
    async with running() as (_, kube):
        wanted = [Reference("flagger.app", "Canary", "a", name) for name in "xy"]
        assert await reading.read(kube, wanted) == {}


def test_verdicts_are_kept_on_disk_and_forgotten_when_anything_changes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "verdicts.json"
    verdicts = Verdicts(path)
    verdicts.remember(uid="u", resource_version="1", digest="d")
    verdicts.save()
    again = Verdicts(path)
    assert again.unchanged(uid="u", resource_version="1", digest="d")
    assert not again.unchanged(uid="u", resource_version="2", digest="d")
    assert not again.unchanged(uid="u", resource_version="1", digest="e")
    assert not again.unchanged(uid="v", resource_version="1", digest="d")


def test_verdicts_that_nobody_used_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    first = Verdicts(path)
    for uid in ("kept", "gone"):
        first.remember(uid=uid, resource_version="1", digest="d")
    first.save()
    second = Verdicts(path)
    assert second.unchanged(uid="kept", resource_version="1", digest="d")
    second.save()
    assert not Verdicts(path).unchanged(uid="gone", resource_version="1", digest="d")


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_broken_file_of_verdicts_counts_as_empty(tmp_path: Path, content: str) -> None:
    path = tmp_path / "verdicts.json"
    path.write_text(content)
    assert not Verdicts(path).unchanged(uid="u", resource_version="1", digest="d")


async def test_a_set_may_declare_one_kind_in_two_versions(kube: Kube, namespace: str) -> None:
    def route(name: str, version: str) -> Obj:
        return {
            "apiVersion": f"networking.istio.io/{version}",
            "kind": "VirtualService",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]},
        }

    desired = declared(route("new", "v1"), route("old", "v1beta1"))
    await plan_and_apply(kube, desired, namespace)
    plan = await planner.plan(kube, desired, SetRules(namespace))
    assert set(actions(plan).values()) == {"unchanged"}


async def test_an_object_that_is_declared_twice_is_refused_with_both_places(kube: Kube) -> None:
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}
    with pytest.raises(
        errors.InvalidInput, match=r"test\.yaml:2: ConfigMap/b/a is declared twice, first in test\.yaml:1"
    ):
        await planner.plan(kube, declared(one, one), SetRules("x"))
