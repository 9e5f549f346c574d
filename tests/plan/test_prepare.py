"""What is sent of what was written."""

from __future__ import annotations

from meshflow.plan import prepare


def test_nulls_status_and_the_servers_metadata_are_not_sent() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "annotations": None, "creationTimestamp": None, "uid": "1", "managedFields": []},
        "data": {"a": "1", "b": None},
        "status": {},
    }
    assert prepare.prepared(obj) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"a": "1"},
    }
    assert "status" in obj


def test_plain_values_of_a_secret_become_data() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"x": "eA=="},
        "stringData": {"y": "y"},
    }
    assert prepare.prepared(obj)["data"] == {"x": "eA==", "y": "eQ=="}
    assert "stringData" not in prepare.prepared(obj)


def test_empty_structures_stay_since_they_mean_something() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"volumes": [{"name": "t", "emptyDir": {}}]},
    }
    assert prepare.prepared(obj) == obj
