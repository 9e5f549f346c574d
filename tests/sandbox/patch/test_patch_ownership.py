"""managedFields: what updates take, what they leave, and when times move."""

import json

import pytest

from sandbox.patch import last_applied, managed
from sandbox.patch.errors import Conflicts


def test_a_creator_owns_defaults_with_dots_for_what_is_optional(deployment, workload):
    deployment.put(workload({"name": "main", "image": "app:1", "env": [{"name": "A", "value": "1"}]}), "creator")
    fields = deployment.owned("creator", "Update")
    assert fields["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    rolling = {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}
    assert fields["f:spec"]["f:strategy"] == {"f:rollingUpdate": rolling, "f:type": {}}
    listed = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert list(listed) == ['k:{"name":"main"}']
    assert listed['k:{"name":"main"}']["f:env"] == {
        ".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
    }  # fmt: skip


def test_a_put_takes_what_it_changes_and_forgets_what_it_removes(configmap):
    configmap.apply({"data": {"same": "1", "changed": "1", "removed": "1"}}, "alice")
    configmap.put({**configmap.obj, "data": {"same": "1", "changed": "2", "added": "1"}})
    assert configmap.owned("alice") == {"f:data": {"f:same": {}}}
    assert configmap.owned("putter", "Update") == {"f:data": {"f:added": {}, "f:changed": {}}}


def test_a_patch_that_takes_the_last_field_removes_the_entry(configmap):
    configmap.apply({"data": {"a": "1"}}, "alice")
    configmap.patch({"data": {"a": "2"}})
    assert configmap.owned("alice") is None
    with pytest.raises(Conflicts, match=r'conflict with "patcher" using v1: \.data\.a'):
        configmap.apply({"data": {"a": "1"}}, "alice")


def test_a_write_that_changes_nothing_takes_nothing(configmap):
    before = configmap.apply({"data": {"a": "1"}}, "alice")
    assert configmap.patch({"data": {"a": "1"}}, "somebody") == before


def test_a_subresource_has_an_entry_of_its_own(widget):
    widget.apply({"spec": {"tags": ["a"]}}, "alice")
    widget.put({**widget.obj, "status": {"phase": "Ready"}}, "alice", subresource="status")
    kinds = [(entry["operation"], entry.get("subresource")) for entry in widget.entries()]
    assert kinds == [("Apply", None), ("Update", "status")]
    assert widget.owned("alice", "Update") == {"f:status": {".": {}, "f:phase": {}}}


def test_what_was_there_before_fields_were_tracked_belongs_to_a_manager_of_its_own(configmap):
    configmap.put({"data": {"a": "1"}})
    configmap.put({**configmap.obj, "metadata": {"managedFields": [{}]}})
    assert configmap.entries() == []
    assert configmap.patch({"data": {"b": "2"}})["data"] == {"a": "1", "b": "2"}
    assert configmap.entries() == [], "nothing is tracked until the next apply"
    with pytest.raises(Conflicts, match=r'conflict with "before-first-apply" using v1: \.data\.a'):
        configmap.apply({"data": {"a": "3"}}, "alice")


def test_the_time_of_an_entry_is_that_of_its_last_change(configmap):
    configmap.apply({"data": {"a": "1"}}, "alice")
    configmap.apply({"data": {"a": "1"}}, "alice")
    assert configmap.entries()[0]["time"] == "2026-01-01T00:00:01Z", "a no-op does not move it"
    configmap.apply({"data": {"a": "2"}}, "alice")
    assert configmap.entries()[0]["time"] == "2026-01-01T00:00:03Z"


def test_an_apply_that_only_adds_co_ownership_has_no_time(configmap):
    configmap.apply({"data": {"a": "1"}}, "alice")
    configmap.apply({"data": {"a": "1"}}, "bob")
    assert ["time" in entry for entry in configmap.entries() if entry["manager"] == "bob"] == [False]


def test_many_updaters_end_in_one_entry_of_ancient_changes(configmap):
    configmap.put({"data": {"k0": "0"}}, "u00")
    for number in range(1, 14):
        configmap.patch({"data": {f"k{number}": "1"}}, f"u{number:02}")
    names = [entry["manager"] for entry in configmap.entries()]
    assert len(names) == managed.UPDATE_LIMIT
    assert managed.ANCIENT in names
    assert "f:k0" in configmap.owned(managed.ANCIENT, "Update")["f:data"]


def test_names_and_versions_are_nobodys(configmap):
    configmap.apply({"metadata": {"annotations": {"a": "1"}}}, "alice")
    assert configmap.owned("alice") == {"f:metadata": {"f:annotations": {"f:a": {}}}}


def test_another_time_alone_is_no_change(configmap):
    old = configmap.apply({"data": {"a": "1"}}, "alice")
    new = {**old, "metadata": {**old["metadata"], "resourceVersion": "7"}}
    new["metadata"]["managedFields"] = [{**old["metadata"]["managedFields"][0], "time": "2027-01-01T00:00:00Z"}]
    assert managed.same_but_times(old, new)
    assert not managed.same_but_times(old, {**new, "data": {}})


def test_an_item_that_gets_a_twin_is_another_thing_afterwards(deployment, workload):
    """A stored list may have several items of one name (by POST or PATCH); they have one owner together."""
    deployment.apply(workload({"name": "main", "image": "app:1", "env": [{"name": "A", "value": "1"}]}), "alice")
    deployment.put(
        workload({"name": "main", "image": "app:1", "env": [{"name": "A", "value": v} for v in "12"]}), "bob"
    )
    item = deployment.owned("bob", "Update")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert item == {"f:env": {'k:{"name":"A"}': {}}}
    theirs = deployment.owned("alice")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert "f:env" not in theirs


def test_kubectl_takes_over_what_it_applied_on_the_clients_side(configmap):
    """Fields as in the annotation of `kubectl apply` are no conflict for the manager kubectl, changed ones are."""
    sent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1", "b": "1"}}
    notes = {"metadata": {"annotations": {last_applied.ANNOTATION: json.dumps(sent)}}}
    configmap.put({**notes, "data": sent["data"]}, "kubectl-client-side-apply")
    with pytest.raises(Conflicts):
        configmap.apply({"data": {"a": "2"}}, "somebody")
    applied = configmap.apply({"data": {"a": "2"}}, "kubectl")
    assert applied["data"] == {"a": "2", "b": "1"}
    note = json.loads(applied["metadata"]["annotations"][last_applied.ANNOTATION])
    assert note["data"] == {"a": "2"}, "the annotation goes with the apply"
    configmap.patch({"data": {"a": "3"}})
    with pytest.raises(Conflicts, match='conflict with "patcher"'):
        configmap.apply({"data": {"a": "4"}}, "kubectl")
