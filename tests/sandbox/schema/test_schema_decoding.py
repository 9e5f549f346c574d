"""Reading bodies: what is dropped, what is told, what is refused."""

import json

import pytest

from sandbox.schema import decode
from sandbox.schema.errors import Malformed, StrictFailure, WrongType


def container(obj):
    return obj["spec"]["template"]["spec"]["containers"][0]


def deployment(**container):
    return {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": [{"name": "a", **container}]}}}}


def test_keys_that_are_there_twice_are_named():
    parsed = decode.parse(b'{"data": {"a": "1", "a": "2"}, "list": [{"b": 1, "b": 2}]}')
    assert parsed.value["data"] == {"a": "2"}
    assert parsed.duplicates == ("data.a", "list[0].b")


def test_yaml_is_read_as_json_would_be():
    parsed = decode.parse(b"a: 1\nwhen: 2020-01-01\n1: x\n? true\n: y\na: 2\n", yaml=True)
    assert parsed.value == {"a": 2, "when": "2020-01-01", "1": "x", "true": "y"}
    assert parsed.duplicates == ("a",)


@pytest.mark.parametrize("body", [b"{nope", b"", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_malformed(body):
    with pytest.raises(Malformed):
        decode.parse(body)


def test_yaml_that_is_no_yaml_is_malformed():
    with pytest.raises(Malformed):
        decode.parse(b"{nope", yaml=True)


def test_unknown_fields_are_dropped_with_a_warning_each(node_of):
    decoded = decode.decode(node_of("apps/v1", "Deployment"), {**deployment(imagge="x"), "nope": 1})
    assert "imagge" not in container(decoded.obj)
    assert decoded.warnings == (
        'unknown field "spec.template.spec.containers[0].imagge"',
        'unknown field "nope"',
    )


def test_strict_reading_refuses_unknown_and_repeated_fields(node_of):
    node = node_of("apps/v1", "Deployment")
    with pytest.raises(StrictFailure) as error:
        decode.decode(node, {"nope": 1}, field_validation="Strict", duplicates=("spec.replicas",))
    assert 'strict decoding error: unknown field "nope", duplicate field "spec.replicas"' in error.value.message
    assert decode.decode(node, {"nope": 1}, field_validation="Ignore").warnings == ()


def test_nulls_and_empty_optional_values_disappear_and_pointers_stay(node_of):
    spec = {"replicas": 0, "minReadySeconds": 0, "paused": False, "template": None}
    decoded = decode.decode(node_of("apps/v1", "Deployment"), {"metadata": {"labels": {}}, "spec": spec}).obj
    assert decoded == {"metadata": {}, "spec": {"replicas": 0}}


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("env", [{"name": "A", "value": ""}], [{"name": "A"}]),
        ("args", [], None),
        ("securityContext", {"privileged": False}, {"privileged": False}),
        ("resources", {"limits": {"cpu": 1}}, {"limits": {"cpu": "1"}}),
        ("resources", {"limits": {"cpu": None}}, {"limits": {"cpu": "0"}}),
        ("stdin", False, None),
    ],
)
def test_a_container_field_is_stored_as_go_writes_it(node_of, field, value, kept):
    obj = decode.decode(node_of("apps/v1", "Deployment"), deployment(**{field: value})).obj
    assert container(obj).get(field) == kept


def test_null_in_a_map_of_strings_is_an_empty_string(node_of):
    assert decode.decode(node_of("v1", "ConfigMap"), {"data": {"a": None}}).obj == {"data": {"a": ""}}


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "message"),
    [
        (
            "v1",
            "ConfigMap",
            {"data": {"a": 1}},
            "cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "v1",
            "ConfigMap",
            {"metadata": []},
            "cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta",
        ),
        ("apps/v1", "Deployment", {"spec": {"replicas": "1"}}, "field DeploymentSpec.spec.replicas of type int32"),
        ("apps/v1", "Deployment", {"spec": {"replicas": 1.5}}, "cannot unmarshal number"),
        ("apps/v1", "Deployment", {"spec": {"paused": "no"}}, "cannot unmarshal string"),
        (
            "apps/v1",
            "Deployment",
            deployment(args="x"),
            "field Container.spec.template.spec.containers.args of type []string",
        ),
        ("apps/v1", "Deployment", deployment(resources={"limits": {"cpu": "1 x"}}), "quantities must match"),
        ("v1", "Secret", {"data": {"a": "?"}}, "illegal base64 data"),
        ("v1", "Service", {"spec": {"ports": [{"targetPort": True}]}}, "cannot unmarshal bool"),
        (
            "coordination.k8s.io/v1",
            "Lease",
            {"spec": {"renewTime": "2026-01-01T00:00:00Z"}},
            'cannot parse "Z" as ".000000"',
        ),
        ("v1", "Pod", {"status": {"startTime": "yesterday"}}, 'parsing time "yesterday"'),
    ],
)
def test_a_value_of_the_wrong_type_stops_everything(node_of, api_version, kind, obj, message):
    with pytest.raises(WrongType) as error:
        decode.decode(node_of(api_version, kind), obj)
    assert error.value.message.startswith(f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled')
    assert message in error.value.message


def test_the_result_shares_nothing_with_what_was_read(node_of):
    obj = {"metadata": {"labels": {"a": "1"}}, "webhooks": [{"rules": [{"operations": ["*"]}]}]}
    before = json.dumps(obj)
    decoded = decode.decode(node_of("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"), obj).obj
    decoded["metadata"]["labels"]["a"] = decoded["webhooks"][0]["rules"][0]["operations"][0] = "changed"
    assert json.dumps(obj) == before


def test_reading_what_was_read_changes_nothing(node_of, stored):
    obj = stored("apps/v1", "Deployment", **{k: v for k, v in deployment(image="x").items() if k != "metadata"})
    assert decode.decode(node_of("apps/v1", "Deployment"), obj).obj == obj
