"""Strategic merge and JSON patches."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow.sources import patches, transforms


class Refused(Exception):
    pass


def refuse(problem: str, path: tuple[str | int, ...]) -> Refused:
    return Refused(f"{path}: {problem}")


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}


def merged(target: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    result = patches.strategic(target, {"spec": spec}, refuse=refuse)
    assert result is not None
    found: dict[str, Any] = result["spec"]
    return found


def test_maps_are_merged_and_null_removes() -> None:
    target = pod(nodeSelector={"a": "1", "b": "2"}, hostname="x")
    assert merged(target, {"nodeSelector": {"b": None, "c": "3"}, "hostname": None}) == {
        "nodeSelector": {"a": "1", "c": "3"}
    }


def test_lists_without_a_key_are_replaced() -> None:
    target = pod(containers=[{"name": "app", "args": ["a", "b"]}])
    assert merged(target, {"containers": [{"name": "app", "args": ["c"]}]})["containers"][0]["args"] == ["c"]


def test_a_directive_replaces_a_map_or_a_keyed_list() -> None:
    target = pod(nodeSelector={"a": "1"}, containers=[{"name": "app"}, {"name": "helper"}])
    assert merged(target, {"nodeSelector": {"$patch": "replace", "b": "2"}})["nodeSelector"] == {"b": "2"}
    assert merged(target, {"containers": [{"$patch": "replace"}, {"name": "only"}]})["containers"] == [{"name": "only"}]
    assert "nodeSelector" not in merged(target, {"nodeSelector": {"$patch": "delete"}})


def test_lists_of_custom_resources_are_replaced() -> None:
    target = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "a"},
        "spec": {"s": [1, 2]},
    }
    assert merged(target, {"s": [3]}) == {"s": [3]}


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(Refused, match=r"\('spec', 'containers', 0\): an item of this list needs the field 'name'"):
        merged(pod(containers=[{"name": "app"}]), {"containers": [{"image": "x"}]})


def test_what_is_patched_stays_as_it_was() -> None:
    target = pod(containers=[{"name": "app", "image": "a"}])
    merged(target, {"containers": [{"name": "app", "image": "b"}]})
    patches.json6902(target, [{"op": "remove", "path": "/spec/containers/0"}], refuse=refuse)
    assert target == pod(containers=[{"name": "app", "image": "a"}])


@pytest.mark.parametrize(
    ("operation", "spec"),
    [
        ({"op": "add", "path": "/spec/list/1", "value": 9}, {"list": [1, 9, 2]}),
        ({"op": "add", "path": "/spec/list/-", "value": 9}, {"list": [1, 2, 9]}),
        ({"op": "replace", "path": "/spec/list/0", "value": 9}, {"list": [9, 2]}),
        ({"op": "remove", "path": "/spec/list/0"}, {"list": [2]}),
        ({"op": "move", "from": "/spec/list", "path": "/spec/other"}, {"other": [1, 2]}),
        ({"op": "copy", "from": "/spec/list/0", "path": "/spec/one"}, {"list": [1, 2], "one": 1}),
        ({"op": "test", "path": "/spec/list/0", "value": 1}, {"list": [1, 2]}),
        ({"op": "add", "path": "/spec/a~1b~0", "value": 1}, {"list": [1, 2], "a/b~": 1}),
    ],
)
def test_each_operation_of_a_json_patch(operation: dict[str, Any], spec: dict[str, Any]) -> None:
    assert patches.json6902(pod(list=[1, 2]), [operation], refuse=refuse)["spec"] == spec


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/spec/list/3", "value": 9},
        {"op": "replace", "path": "/spec/absent", "value": 9},
        {"op": "remove", "path": "/spec/absent"},
        {"op": "test", "path": "/spec/list/0", "value": 2},
        {"op": "increase", "path": "/spec/list/0"},
        {"op": "add", "path": "spec", "value": 1},
        {"op": "add", "path": "/spec/x"},
        {"path": "/spec/x"},
        "remove",
    ],
)
def test_an_operation_that_does_not_fit_is_refused(operation: Any) -> None:
    with pytest.raises(Refused, match=r"^\(0"):
        patches.json6902(pod(list=[1, 2]), [operation], refuse=refuse)


@pytest.mark.parametrize(
    ("image", "change", "result"),
    [
        ("web", {"new_tag": "2"}, "web:2"),
        ("web:1", {"new_name": "x/web"}, "x/web:1"),
        ("web:1@sha256:a", {"new_tag": "2"}, "web:2"),
        ("web@sha256:a", {"new_name": "y"}, "y@sha256:a"),
        ("localhost:5000/web", {"new_tag": "2"}, "localhost:5000/web"),
    ],
)
def test_images_are_matched_by_their_whole_name(image: str, change: dict[str, str], result: str) -> None:
    target = pod(containers=[{"name": "app", "image": image}], initContainers=[{"name": "i", "image": "other:1"}])
    entry = transforms.ImageChange(**{"name": "web", "new_name": None, "new_tag": None, "digest": None, **change})
    changed = transforms.with_images(target, [entry])["spec"]
    assert changed["containers"][0]["image"] == result
    assert changed["initContainers"][0]["image"] == "other:1"


def test_references_follow_in_every_place_that_names_another_object() -> None:
    target = pod(
        volumes=[
            {"name": "a", "configMap": {"name": "cm"}},
            {"name": "b", "secret": {"secretName": "key"}},
            {"name": "c", "projected": {"sources": [{"secret": {"name": "key"}}, {"configMap": {"name": "cm"}}]}},
        ],
        imagePullSecrets=[{"name": "key"}],
        containers=[
            {"name": "app", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]}
        ],
    )
    renames = {("ConfigMap", "cm"): "cm-1", ("Secret", "key"): "key-1"}
    text = str(transforms.with_references(target, renames))
    assert "'cm'" not in text
    assert "'key'" not in text.replace("'key': 'k'", "")
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "s"}],
    }
    changed = transforms.with_references(binding, {("Role", "r"): "r-1", ("ServiceAccount", "s"): "s-1"})
    assert (changed["roleRef"]["name"], changed["subjects"][0]["name"]) == ("r-1", "s-1")
    assert binding["roleRef"]["name"] == "r"
