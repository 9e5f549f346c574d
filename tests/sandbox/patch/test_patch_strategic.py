"""Strategic merge patches, as kubectl sends them."""

import copy

import pytest

from sandbox.patch import strategic
from sandbox.patch.errors import BadPatch
from sandbox.schema import builtin

DEPLOYMENT = builtin.of("apps", "v1", "Deployment")
CONFIGMAP = builtin.of("", "v1", "ConfigMap")


def names(found):
    return [item["name"] for item in found]


def containers(*items, patch, **directives):
    """The containers of a Deployment after a patch of its containers."""
    obj = {"spec": {"template": {"spec": {"containers": list(items)}}}}
    change = {"spec": {"template": {"spec": {"containers": patch, **directives}}}}
    before = copy.deepcopy((obj, change))
    patched = strategic.apply(DEPLOYMENT, obj, change)
    assert (obj, change) == before, "arguments stay as they are"
    return patched["spec"]["template"]["spec"]["containers"]


A, B, C = ({"name": name, "image": "i:1"} for name in "abc")


def test_items_are_merged_by_their_key_and_new_ones_come_first():
    found = containers(A, B, patch=[{"name": "new", "image": "n"}, {"name": "b", "image": "i:2"}])
    assert {item["name"]: item["image"] for item in found} == {"a": "i:1", "b": "i:2", "new": "n"}
    assert names(found) == ["new", "a", "b"]


def test_an_order_directive_arranges_the_list():
    order = [{"name": "c"}, {"name": "a"}]
    found = containers(A, B, C, patch=[{"name": "a", "image": "i:2"}], **{"$setElementOrder/containers": order})
    assert names(found) == ["b", "c", "a"], "b is not named: it stays before c, as it stood"


def test_an_order_directive_alone_reorders():
    obj = {"spec": {"template": {"spec": {"containers": [A, B]}}}}
    change = {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}}}
    patched = strategic.apply(DEPLOYMENT, obj, change)["spec"]["template"]["spec"]
    assert names(patched["containers"]) == ["b", "a"]
    assert set(patched) == {"containers"}


def test_a_deleted_item_leaves_its_place_at_the_end_to_a_new_one():
    """kubectl's patch for a container that was renamed from c to d, with a and b in the live object."""
    order = [{"name": "b"}, {"name": "d"}]
    patch = [{"name": "b", "image": "i:2"}, {"name": "d", "image": "d"}, {"name": "c", "$patch": "delete"}]
    assert names(containers(C, B, A, patch=patch, **{"$setElementOrder/containers": order})) == ["b", "a", "d"]


def test_a_patch_must_keep_to_the_order_it_gives():
    order = [{"name": "b"}, {"name": "a"}]
    with pytest.raises(BadPatch, match=r"doesn't match \$setElementOrder list"):
        containers(A, B, patch=[A, B], **{"$setElementOrder/containers": order})


def test_items_are_deleted_and_lists_replaced_by_directive():
    assert names(containers(A, B, patch=[{"name": "a", "$patch": "delete"}])) == ["b"]
    assert names(containers(A, B, patch=[{"$patch": "replace"}, C])) == ["c"]


def test_deletion_with_an_order_as_kubectl_sends_it():
    order = [{"name": "b"}]
    found = containers(A, B, patch=[{"name": "a", "$patch": "delete"}], **{"$setElementOrder/containers": order})
    assert names(found) == ["b"]


def test_a_key_that_is_null_is_deleted_in_an_item():
    assert containers({**A, "command": ["x"]}, patch=[{"name": "a", "command": None}]) == [A]


def test_nulls_and_directives_do_not_get_into_what_is_new():
    patch = [
        {"name": "d", "image": "i", "command": None, "$setElementOrder/env": [], "env": [{"name": "E", "value": None}]}
    ]
    assert containers(A, patch=patch)[0] == {"name": "d", "image": "i", "env": [{"name": "E"}]}


def test_retained_keys_drop_their_siblings():
    obj = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic.apply(DEPLOYMENT, obj, patch)["spec"]["strategy"] == {"type": "Recreate"}


def test_maps_are_replaced_and_deleted_by_directive():
    obj = {"data": {"a": "1"}, "metadata": {"labels": {"x": "1"}}}
    assert strategic.apply(CONFIGMAP, obj, {"data": {"$patch": "replace", "b": "2"}})["data"] == {"b": "2"}
    assert strategic.apply(CONFIGMAP, obj, {"data": {"$patch": "delete"}})["data"] == {}


def test_sets_of_scalars_are_merged_and_reduced():
    obj = {"metadata": {"finalizers": ["a", "b"]}}
    merged = strategic.apply(CONFIGMAP, obj, {"metadata": {"finalizers": ["c", "a"]}})["metadata"]["finalizers"]
    assert sorted(merged) == ["a", "b", "c"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}}
    assert strategic.apply(CONFIGMAP, obj, patch)["metadata"]["finalizers"] == ["b"]


def test_lists_without_a_strategy_are_replaced():
    assert containers({**A, "args": ["1", "2"]}, patch=[{"name": "a", "args": ["3"]}])[0]["args"] == ["3"]


def test_volumes_change_their_source_by_retained_keys():
    obj = {"spec": {"template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}}}
    item = {"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}
    patched = strategic.apply(DEPLOYMENT, obj, {"spec": {"template": {"spec": {"volumes": [item]}}}})
    assert patched["spec"]["template"]["spec"]["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


@pytest.mark.parametrize(
    "patch",
    [
        [],
        {"data": {"$patch": "frob"}},
        {"data": {"$retainKeys": ["a"], "b": "1"}},
        {"metadata": {"ownerReferences": [{"name": "no uid"}]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}},
    ],
)
def test_a_malformed_patch_is_refused(patch):
    obj = {"data": {"a": "1"}, "metadata": {"ownerReferences": [{"uid": "1"}], "finalizers": ["a"]}}
    with pytest.raises(BadPatch):
        strategic.apply(CONFIGMAP, obj, patch)
