"""Server-side apply: what becomes of the object."""

import pytest

from sandbox.patch import managed
from sandbox.patch.errors import BadPatch, Conflicts, NotTyped


def containers(obj):
    return obj["spec"]["template"]["spec"]["containers"]


def only(**spec):
    return {"spec": {"template": {"spec": spec}}}


def conflict_fields(error):
    return [(cause.field, cause.message) for cause in error.value.causes]


def test_applying_the_same_again_changes_nothing(deployment, workload):
    first = deployment.apply(workload())
    assert deployment.apply(workload()) == first


def test_a_value_of_another_manager_is_a_conflict_at_its_field(deployment, workload):
    deployment.apply(workload())
    with pytest.raises(Conflicts) as error:
        deployment.apply(only(containers=[{"name": "main", "image": "other:1"}]), "bob")
    field = '.spec.template.spec.containers[name="main"].image'
    assert conflict_fields(error) == [(field, 'conflict with "alice"')]
    assert error.value.message == f'Apply failed with 1 conflict: conflict with "alice": {field}'


def test_several_conflicts_are_grouped_by_manager(configmap):
    configmap.apply({"data": {"a": "1", "b": "1"}}, "alice")
    configmap.apply({"data": {"a": "1"}}, "bob")
    with pytest.raises(Conflicts) as error:
        configmap.apply({"data": {"a": "2", "b": "2"}}, "carol")
    lines = ['conflicts with "alice":', "- .data.a", "- .data.b", 'conflicts with "bob":', "- .data.a"]
    assert error.value.message == "Apply failed with 3 conflicts: " + "\n".join(lines)


def test_a_conflict_with_an_update_names_its_version_and_subresource(deployment, workload):
    deployment.apply(workload())
    scaled = {**deployment.obj, "spec": {**deployment.obj["spec"], "replicas": 3}}
    deployment.foreign = ()
    deployment.put(scaled, "scaler")
    with pytest.raises(Conflicts) as error:
        deployment.apply(workload())
    assert conflict_fields(error) == [(".spec.replicas", 'conflict with "scaler" using apps/v1')]


def test_force_settles_a_conflict(configmap):
    configmap.apply({"data": {"a": "1", "b": "1"}}, "alice")
    assert configmap.apply({"data": {"a": "2"}}, "bob", force=True)["data"] == {"a": "2", "b": "1"}
    assert configmap.owned("alice") == {"f:data": {"f:b": {}}}


def test_what_is_left_out_goes_unless_somebody_else_wants_it(configmap):
    configmap.apply({"data": {"a": "1", "b": "2", "c": "3"}}, "alice")
    configmap.apply({"data": {"b": "2"}}, "bob")
    assert configmap.apply({"data": {"a": "1"}}, "alice")["data"] == {"a": "1", "b": "2"}


def test_the_last_label_goes_and_the_name_stays(configmap):
    configmap.apply({"metadata": {"labels": {"a": "1"}}})
    assert configmap.apply({}, "alice")["metadata"]["name"] == "x"
    assert "labels" not in configmap.obj["metadata"]


def test_a_default_comes_back_when_its_field_is_left_out(deployment, workload):
    deployment.apply({"spec": {**workload()["spec"], "revisionHistoryLimit": 3}})
    assert deployment.apply(workload())["spec"]["revisionHistoryLimit"] == 10


def test_items_of_two_managers_are_merged_by_key(deployment, workload):
    deployment.apply(workload({"name": "main", "image": "app:1", "ports": [{"containerPort": 80}]}))
    theirs = {"name": "main", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 90}]}
    deployment.apply(only(containers=[theirs, {"name": "side", "image": "side:1"}]), "bob")
    main, side = containers(deployment.obj)
    assert side["name"] == "side"
    assert [port["containerPort"] for port in main["ports"]] == [80, 90]
    deployment.apply(only(containers=[{"name": "main"}]), "bob")
    assert [container["name"] for container in containers(deployment.obj)] == ["main"]
    assert "env" not in containers(deployment.obj)[0]


def test_the_key_of_a_port_has_its_protocol_filled_in(deployment, workload):
    deployment.apply(workload({"name": "main", "image": "app:1", "ports": [{"containerPort": 80}]}))
    deployment.apply(only(containers=[{"name": "main", "ports": [{"containerPort": 80, "protocol": "UDP"}]}]), "bob")
    ports = containers(deployment.obj)[0]["ports"]
    assert [port["protocol"] for port in ports] == ["TCP", "UDP"]


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("ab", "ba", "ba"),
        ("abc", "c", "abc"),
        ("abc", "ca", "bca"),
        ("abc", "xb", "axbc"),
        ("ab", "axb", "axb"),
        ("abcd", "dxa", "bcdxa"),
        ("", "ab", "ab"),
    ],
)
def test_shared_items_take_the_applied_order_and_others_stay_in_place(deployment, workload, live, applied, merged):
    """`live` is bob's list, `applied` is alice's, with force."""

    def items(names):
        return [{"name": name, "image": "i:1"} for name in names]

    deployment.put(workload(*items(live)) if live else workload({"name": "zz", "image": "z"}), "bob")
    if not live:
        deployment.obj["spec"]["template"]["spec"]["containers"] = []
    deployment.apply(only(containers=items(applied)), "alice", force=True)
    assert "".join(container["name"] for container in containers(deployment.obj)) == merged


def test_an_atomic_map_has_one_owner(service):
    service.apply({"spec": {"selector": {"app": "a"}}})
    with pytest.raises(Conflicts) as error:
        service.apply({"spec": {"selector": {"tier": "b"}}}, "bob")
    assert conflict_fields(error) == [(".spec.selector", 'conflict with "alice"')]
    assert service.apply({"spec": {"selector": {"tier": "b"}}}, "bob", force=True)["spec"]["selector"] == {"tier": "b"}


def test_lists_of_a_custom_resource_are_merged_as_its_schema_says(widget):
    widget.apply({"spec": {"rows": [{"name": "a"}], "tags": ["x"], "plain": ["p"], "labels": {"a": "1"}}}, "alice")
    spec = widget.apply({"spec": {"rows": [{"name": "b"}], "tags": ["y"], "labels": {"b": "2"}}}, "bob")["spec"]
    assert spec["rows"] == [{"name": "a"}, {"name": "b"}]
    assert spec["tags"] == ["x", "y"]
    assert spec["labels"] == {"a": "1", "b": "2"}
    with pytest.raises(Conflicts) as error:
        widget.apply({"spec": {"plain": ["q"]}}, "bob")
    assert conflict_fields(error) == [(".spec.plain", 'conflict with "alice"')]
    assert widget.apply({"spec": {}}, "bob")["spec"] == {
        "rows": [{"name": "a"}], "tags": ["x"], "plain": ["p"], "labels": {"a": "1"}, "color": "red",
    }  # fmt: skip


def test_maps_inside_a_map_are_owned_with_a_dot(widget):
    widget.apply({"spec": {"parts": {"one": {"a": "1"}, "none": {}}}})
    assert widget.owned("alice")["f:spec"]["f:parts"] == {"f:none": {}, "f:one": {".": {}, "f:a": {}}}


def test_values_without_schema_are_shared_by_key_and_their_lists_are_not(widget):
    widget.apply({"spec": {"free": {"a": {"b": 1}, "list": [1]}}})
    assert widget.owned("alice")["f:spec"]["f:free"] == {"f:a": {".": {}, "f:b": {}}, "f:list": {}}


def test_a_set_member_goes_with_its_last_owner(configmap):
    configmap.apply({"metadata": {"finalizers": ["e.test/a"]}}, "alice")
    configmap.apply({"metadata": {"finalizers": ["e.test/b"]}}, "bob")
    assert configmap.apply({}, "alice")["metadata"]["finalizers"] == ["e.test/b"]
    assert "finalizers" not in configmap.apply({}, "bob")["metadata"]


def test_quantities_in_other_words_are_the_same_to_their_owner_and_a_conflict_to_others(deployment, workload):
    limited = {"name": "main", "image": "app:1", "resources": {"limits": {"cpu": "1"}}}
    other = {"name": "main", "image": "app:1", "resources": {"limits": {"cpu": "1000m"}}}
    before = deployment.apply(workload(limited))
    assert managed.same_but_times(before, deployment.apply(workload(other)))
    with pytest.raises(Conflicts):
        deployment.apply(only(containers=[{"name": "main", "resources": other["resources"]}]), "bob")


def test_a_map_that_is_applied_empty_stays_when_its_last_field_goes(deployment, workload):
    def secured(context):
        return workload({"name": "main", "image": "app:1", "securityContext": context})

    deployment.apply(secured({"privileged": False}))
    deployment.apply(secured({}))
    assert containers(deployment.obj)[0]["securityContext"] == {}


def test_a_value_without_schema_may_turn_from_a_map_into_a_scalar(widget):
    widget.apply({"spec": {"free": {"a": {"b": 1}}, "tags": ["x"]}}, "alice")
    assert widget.apply({"spec": {"free": {"a": "text"}}}, "bob", force=True)["spec"]["free"] == {"a": "text"}
    assert widget.owned("alice") == {"f:spec": {"f:tags": {'v:"x"': {}}}}


def test_string_data_is_owned_but_never_removed_from_data(secret):
    assert secret.apply({"stringData": {"a": "b"}})["data"] == {"a": "Yg=="}
    assert secret.owned("alice") == {"f:stringData": {"f:a": {}}}
    assert secret.apply({"stringData": {"c": "d"}})["data"] == {"a": "Yg==", "c": "ZA=="}


def test_the_status_is_not_owned_through_the_main_resource(widget):
    widget.apply({"spec": {"tags": ["a"]}, "status": {"phase": "New"}})
    assert set(widget.owned("alice")) == {"f:spec"}


def test_a_newer_version_by_the_same_manager_replaces_the_entry(widget):
    widget.api_version = "example.test/v1beta1"
    widget.apply({"spec": {"tags": ["a", "b"]}})
    widget.api_version = "example.test/v1"
    assert widget.apply({"spec": {"tags": ["a"]}})["spec"]["tags"] == ["a"]
    assert [entry["apiVersion"] for entry in widget.entries()] == ["example.test/v1"]


@pytest.mark.parametrize(
    ("container", "problem"),
    [
        ({"imagge": "x"}, '.spec.template.spec.containers[name="main"].imagge: field not declared in schema'),
        (
            {"env": [{"name": "A", "value": 1}]},
            '.env[name="A"].value: expected string, got &value.valueUnstructured{Value:1}',
        ),
        ({"env": [{"name": "A"}, {"name": "A"}]}, '.env: duplicate entries for key [name="A"]'),
        ({"command": "x"}, ".command: expected list, got &{x}"),
        ({"env": [{"value": "x"}, {"value": "y"}]}, '.env: duplicate entries for key [name=""]'),
        ({"env": [None]}, ".env: element 0: associative list with keys may not have a null element"),
        ({"stdin": -5}, ".stdin: expected boolean, got &{-5}"),
    ],
)
def test_what_cannot_be_typed_is_refused_whole(deployment, workload, container, problem):
    with pytest.raises(NotTyped) as error:
        deployment.apply(workload({"name": "main", "image": "app:1", **container}))
    assert error.value.message.startswith("failed to create typed patch object (/x; apps/v1, Kind=Deployment): ")
    assert problem in error.value.message


def test_managed_fields_cannot_be_applied(configmap):
    with pytest.raises(BadPatch, match=r"metadata\.managedFields must be nil"):
        configmap.apply({"metadata": {"managedFields": []}})
