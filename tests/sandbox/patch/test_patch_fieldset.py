"""Sets of field paths in the form of managedFields."""

import pytest

from sandbox.patch import fieldset

ALL = {"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}}
DATA = {"f:data": {"f:a": {}, "f:b": {}}}


@pytest.mark.parametrize(
    ("one", "other", "union", "difference", "intersection"),
    [
        (DATA, {}, DATA, DATA, {}),
        (DATA, DATA, DATA, {}, DATA),
        (DATA, {"f:data": {"f:b": {}, "f:c": {}}}, ALL, {"f:data": {"f:a": {}}}, {"f:data": {"f:b": {}}}),
        (DATA, {"f:data": {}}, {"f:data": {".": {}, "f:a": {}, "f:b": {}}}, DATA, {}),
        ({"f:data": {}}, DATA, {"f:data": {".": {}, "f:a": {}, "f:b": {}}}, {"f:data": {}}, {}),
        ({"f:a": {".": {}, "f:b": {}}}, {"f:a": {}}, {"f:a": {".": {}, "f:b": {}}}, {"f:a": {"f:b": {}}}, {"f:a": {}}),
    ],
)  # fmt: skip
def test_sets_are_reckoned_path_by_path(one, other, union, difference, intersection):
    assert fieldset.union(one, other) == union
    assert fieldset.difference(one, other) == difference
    assert fieldset.intersection(one, other) == intersection


def test_paths_are_shown_as_conflicts_name_them():
    found = {
        "f:spec": {
            "f:replicas": {},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}},
            "f:finalizers": {'v:"x/y"': {}},
        }
    }
    assert list(fieldset.paths(found)) == [
        ".spec.replicas",
        '.spec.finalizers[="x/y"]',
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].name',
    ]


def test_a_field_is_taken_out_with_all_below_it():
    found = {"f:spec": {"f:a": {}}, "f:status": {".": {}, "f:phase": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}
    assert fieldset.without(found, [("status",), ("metadata", "labels")]) == {"f:spec": {"f:a": {}}}
