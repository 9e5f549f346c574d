"""The store: versions, the log, and states of the past."""

import json

import pytest

from sandbox.store import store as stores
from sandbox.store.records import Change, Event, Record
from sandbox.store.store import Expired, Store

PODS = ("", "pods")


def pod(name: str, **more: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "shop"}, **more}


def test_each_write_has_a_version_of_its_own_and_is_counted() -> None:
    store = Store()
    first, second = store.put(PODS, pod("a")), store.put(PODS, pod("b"))
    gone = store.remove(PODS, "shop", "a")
    assert first.version < second.version < gone.version == store.version
    assert store.writes == 3


def test_a_removal_leaves_the_last_state_as_it_was() -> None:
    store = Store()
    made = store.put(PODS, pod("a"))
    version = made.obj["metadata"]["resourceVersion"]
    store.remove(PODS, "shop", "a")
    assert made.obj["metadata"]["resourceVersion"] == version


def test_the_past_can_be_asked_for_as_long_as_it_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "HISTORY", 3)
    store = Store()
    start = store.put(PODS, pod("a", step="1")).version
    store.put(PODS, pod("a", step="2"))
    store.put(PODS, pod("b"))
    shelf = store.shelf(PODS)
    assert [record.obj["step"] for record in shelf.at(start).values()] == ["1"]
    for _ in range(2):
        store.put(PODS, pod("c"))
    with pytest.raises(Expired):
        shelf.at(start)


def test_events_after_a_version_come_in_order() -> None:
    store = Store()
    start = store.put(PODS, pod("a")).version
    store.put(PODS, pod("a", step="2"))
    store.remove(PODS, "shop", "a")
    changes = [event.change for event in store.shelf(PODS).after(start)]
    assert changes == [Change.MODIFIED, Change.DELETED]


def test_a_new_resource_knows_nothing_from_before_it_was_there() -> None:
    store = Store()
    store.put(PODS, pod("a"))
    with pytest.raises(Expired):
        store.shelf(("example.test", "widgets")).after(1)


def test_listeners_hear_of_the_end_of_a_resource() -> None:
    store, heard = Store(), list[Event | None]()
    store.listen(PODS, heard.append)
    store.put(PODS, pod("a"))
    store.drop(PODS)
    assert [event and event.change for event in heard] == [Change.ADDED, None]


def test_objects_are_listed_by_namespace_and_name() -> None:
    store = Store()
    for name in ("b", "a", "c"):
        store.put(PODS, pod(name))
    assert [record.name for record in store.list(PODS, "shop")] == ["a", "b", "c"]
    assert list(store.list(PODS, "elsewhere")) == []


def test_a_record_is_written_with_and_without_its_kind() -> None:
    record = Record({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ä"}}, 7)
    assert json.loads(record.to_json()) == {"metadata": {"name": "ä"}}
    assert json.loads(record.to_json(kind="Pod", api_version="v1")) == record.obj
