"""Merge patches and JSON patches."""

import copy

import pytest

from sandbox.patch import json_patch, merge
from sandbox.patch.errors import BadPatch, DoesNotApply

OBJ = {"metadata": {"name": "x"}, "data": {"a": "1", "b": "2"}, "list": [{"n": 1}, {"n": 2}]}


def test_a_merge_patch_sets_deletes_and_replaces_lists():
    patched = merge.apply(OBJ, {"data": {"a": None, "c": {"d": None, "e": 1}}, "list": [3], "new": None})
    assert patched == {"metadata": {"name": "x"}, "data": {"b": "2", "c": {"e": 1}}, "list": [3]}


def test_a_merge_patch_leaves_its_arguments_alone():
    before = copy.deepcopy(OBJ)
    patched = merge.apply(OBJ, {"data": {"c": {}}})
    patched["data"]["c"]["x"] = patched["list"][0]["n"] = 9
    assert before == OBJ


@pytest.mark.parametrize("patch", [[], "x", 3, None])
def test_a_merge_patch_is_an_object(patch):
    with pytest.raises(BadPatch):
        merge.apply(OBJ, patch)


@pytest.mark.parametrize(
    ("operations", "path", "expected"),
    [
        ([{"op": "add", "path": "/list/-", "value": 3}], "list", [{"n": 1}, {"n": 2}, 3]),
        ([{"op": "add", "path": "/list/0", "value": 0}], "list", [0, {"n": 1}, {"n": 2}]),
        ([{"op": "add", "path": "/list/2", "value": 3}], "list", [{"n": 1}, {"n": 2}, 3]),
        ([{"op": "remove", "path": "/list/0"}], "list", [{"n": 2}]),
        ([{"op": "replace", "path": "/list/1/n", "value": 7}], "list", [{"n": 1}, {"n": 7}]),
        ([{"op": "move", "from": "/list/0", "path": "/list/1"}], "list", [{"n": 2}, {"n": 1}]),
        ([{"op": "copy", "from": "/data/a", "path": "/data/z"}], "data", {"a": "1", "b": "2", "z": "1"}),
        ([{"op": "add", "path": "/data/x~1y~0z", "value": "v"}], "data", {"a": "1", "b": "2", "x/y~z": "v"}),
        ([{"op": "replace", "path": "/data/new", "value": "v"}], "data", {"a": "1", "b": "2", "new": "v"}),
        ([{"op": "test", "path": "/data/none", "value": None}], "data", {"a": "1", "b": "2"}),
    ],
)
def test_a_json_patch_does_what_its_operations_say(operations, path, expected):
    assert json_patch.apply(OBJ, operations)[path] == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/data/none"},
        {"op": "remove", "path": "/list/2"},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "add", "path": "/list/3", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "replace", "path": "/list/2", "value": 1},
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "frob", "path": "/data/a"},
        {"op": "add", "path": "data"},
        {"op": "add", "value": 1},
        {"op": "remove", "path": ""},
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused_whole(operation):
    before = copy.deepcopy(OBJ)
    with pytest.raises(DoesNotApply):
        json_patch.apply(OBJ, [{"op": "add", "path": "/data/first", "value": "1"}, operation])
    assert before == OBJ


@pytest.mark.parametrize("operations", [{"op": "add"}, ["add"], "x"])
def test_a_json_patch_is_a_list_of_operations(operations):
    with pytest.raises(BadPatch):
        json_patch.apply(OBJ, operations)
