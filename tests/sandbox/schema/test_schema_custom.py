"""Custom resources: pruning, defaults, and what their schema forbids."""

import pytest

from sandbox.schema import crd, decode, defaults, validate

TEXT = {"type": "string"}
ROW = {"type": "object", "required": ["name"], "properties": {"name": TEXT, "kind": {**TEXT, "default": "a"}}}
KEYED = {"type": "array", "items": ROW, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["kind", "name"]}


def written(node, spec, **more):
    decoded = decode.decode(
        node, {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "x"}, "spec": spec, **more}
    )
    defaults.apply(node, decoded.obj)
    return decoded


def causes(node, spec):
    return [(str(error.reason), error.field) for error in validate.validate(node, written(node, spec).obj)]


def message(node, spec):
    (error,) = validate.validate(node, written(node, spec).obj)
    return str(error)


def test_what_the_schema_lacks_is_pruned_except_where_it_is_preserved(custom):
    node = custom(
        {
            "known": TEXT,
            "deep": {"type": "object", "properties": {"a": TEXT}},
            "free": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"a": {"type": "object"}},
            },
            "any": {"x-kubernetes-preserve-unknown-fields": True},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": TEXT}}},
        }
    )
    decoded = written(
        node,
        {
            "known": "k",
            "no": 1,
            "deep": {"a": "1", "b": "2"},
            "free": {"x": {"y": [1]}, "a": {"z": 1}},
            "any": [{"x": 1}],
            "map": {"k": {"a": "1", "b": 2}},
        },
    )
    assert decoded.obj["spec"] == {
        "known": "k",
        "deep": {"a": "1"},
        "free": {"x": {"y": [1]}, "a": {}},
        "any": [{"x": 1}],
        "map": {"k": {"a": "1"}},
    }
    unknown = ("spec.no", "spec.deep.b", "spec.free.a.z", "spec.map.k.b")
    assert decoded.warnings == tuple(f'unknown field "{path}"' for path in unknown)


def test_metadata_is_that_of_every_object(custom):
    decoded = written(custom({}), {}, metadata={"name": "x", "labels": {"a": "1"}, "nope": 1})
    assert decoded.obj["metadata"] == {"name": "x", "labels": {"a": "1"}}
    assert decoded.warnings == ('unknown field "metadata.nope"',)


def test_without_a_schema_everything_is_kept():
    node = crd.compile(None, group="example.test", version="v1", kind="Widget")
    assert written(node, {"a": {"b": [None, 1]}}).obj["spec"] == {"a": {"b": [None, 1]}}


def test_defaults_appear_where_their_parent_is_there(custom):
    inner = {"type": "object", "properties": {"a": {**TEXT, "default": "d"}}}
    node = custom({"one": inner, "list": {"type": "array", "items": inner}, "made": {**inner, "default": {}}})
    assert written(node, {}).obj["spec"] == {"made": {"a": "d"}}
    assert written(node, {"one": {}, "list": [{}, {"a": "x"}]}).obj["spec"] == {
        "one": {"a": "d"},
        "list": [{"a": "d"}, {"a": "x"}],
        "made": {"a": "d"},
    }


def test_a_default_is_not_shared_between_objects(custom):
    node = custom({"list": {"type": "array", "items": TEXT, "default": []}})
    written(node, {}).obj["spec"]["list"].append("x")
    assert written(node, {}).obj["spec"]["list"] == []


def test_an_explicit_null_counts_as_left_out_unless_it_is_nullable(custom):
    node = custom({"a": TEXT, "d": {**TEXT, "default": "d"}, "n": {**TEXT, "nullable": True}}, required=["a"])
    found = written(node, {"a": None, "d": None, "n": None}).obj
    assert found["spec"] == {"d": "d", "n": None}
    assert [str(error) for error in validate.validate(node, found)] == ["spec.a: Required value"]


@pytest.mark.parametrize(
    ("schema", "value", "reason", "field"),
    [
        ({"type": "integer", "minimum": 1}, 0, "FieldValueInvalid", "spec.v"),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": True}, 3, "FieldValueInvalid", "spec.v"),
        ({"type": "number", "multipleOf": 2}, 3, "FieldValueInvalid", "spec.v"),
        ({"type": "integer"}, "x", "FieldValueTypeInvalid", "spec.v"),
        ({"type": "integer"}, 1.5, "FieldValueTypeInvalid", "spec.v"),
        ({"type": "integer"}, True, "FieldValueTypeInvalid", "spec.v"),
        ({"type": "boolean"}, 1, "FieldValueTypeInvalid", "spec.v"),
        ({"type": "object", "additionalProperties": TEXT}, {"a": 1}, "FieldValueTypeInvalid", "spec.v.a"),
        ({"type": "array", "items": TEXT}, "x", "FieldValueTypeInvalid", "spec.v"),
        ({"type": "array", "items": TEXT}, [1], "FieldValueTypeInvalid", "spec.v[0]"),
        ({"type": "array", "items": TEXT, "maxItems": 1}, ["a", "b"], "FieldValueTooMany", "spec.v"),
        ({"type": "array", "items": TEXT, "minItems": 1}, [], "FieldValueInvalid", "spec.v"),
        ({"x-kubernetes-int-or-string": True}, 1.5, "FieldValueTypeInvalid", "spec.v"),
        ({**TEXT, "enum": ["a", "b"]}, "c", "FieldValueNotSupported", "spec.v"),
        ({**TEXT, "pattern": "^[a-z]+$"}, "A1", "FieldValueInvalid", "spec.v"),
        ({**TEXT, "maxLength": 1}, "ab", "FieldValueTooLong", "spec.v"),
        ({**TEXT, "minLength": 3}, "ab", "FieldValueInvalid", "spec.v"),
        ({**TEXT, "format": "date-time"}, "today", "FieldValueTypeInvalid", "spec.v"),
        (
            {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
            ["a", "a"],
            "FieldValueDuplicate",
            "spec.v[1]",
        ),
        (KEYED, [{"name": "a"}, {"name": "a", "kind": "a"}], "FieldValueDuplicate", "spec.v[1]"),
        (KEYED, [{"kind": "b"}], "FieldValueRequired", "spec.v[0].name"),
    ],
)
def test_what_the_schema_forbids_is_an_error_at_its_field(custom, schema, value, reason, field):
    assert causes(custom({"v": schema}), {"v": value}) == [(reason, field)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"x-kubernetes-int-or-string": True}, "http"),
        ({"x-kubernetes-int-or-string": True}, 80),
        ({**TEXT, "pattern": "a"}, "bab"),
        ({**TEXT, "format": "date-time"}, "2026-01-01T00:00:00Z"),
        ({**TEXT, "format": "unheard-of"}, "x"),
        (KEYED, [{"name": "a"}, {"name": "a", "kind": "b"}]),
        ({"type": "array", "items": TEXT}, ["a", "a"]),
    ],
)
def test_what_the_schema_allows_is_valid(custom, schema, value):
    assert causes(custom({"v": schema}), {"v": value}) == []


def test_combinations_are_enforced_with_the_errors_of_the_part_that_fits_best(custom):
    node = custom({"a": TEXT, "b": TEXT}, oneOf=[{"required": ["a"]}, {"required": ["b"]}])
    assert causes(node, {"a": "1"}) == []
    assert causes(node, {}) == [("FieldValueInvalid", "<nil>"), ("FieldValueRequired", "spec.a")]
    twice = '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    assert message(node, {"a": "1", "b": "1"}) == twice
    node = custom({"a": TEXT}, anyOf=[{"properties": {"a": {"enum": ["x"]}}}, {"not": {"required": ["a"]}}])
    assert causes(node, {}) == causes(node, {"a": "x"}) == []
    assert causes(node, {"a": "y"}) == [("FieldValueInvalid", "<nil>"), ("FieldValueNotSupported", "spec.a")]
    node = custom({"a": TEXT}, allOf=[{"required": ["a"]}, {"not": {"required": ["b"]}}])
    assert causes(node, {}) == [("FieldValueRequired", "spec.a"), ("FieldValueInvalid", "<nil>")]


def test_the_second_of_several_twins_is_the_one_that_is_told(custom):
    assert causes(custom({"v": KEYED}), {"v": [{"name": "a"}] * 3}) == [("FieldValueDuplicate", "spec.v[1]")]


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "integer"}, "x", 'spec.v: Invalid value: "string": spec.v in body must be of type integer: "string"'),
        (
            {"type": "integer", "minimum": 1},
            0,
            "spec.v: Invalid value: 0: spec.v in body should be greater than or equal to 1",
        ),
        ({**TEXT, "enum": ["a", "b"]}, "c", 'spec.v: Unsupported value: "c": supported values: "a", "b"'),
        ({**TEXT, "pattern": "^a$"}, "b", "spec.v: Invalid value: \"b\": spec.v in body should match '^a$'"),
        ({**TEXT, "maxLength": 1}, "ab", "spec.v: Too long: may not be more than 1 bytes"),
    ],
)
def test_messages_are_the_api_servers(custom, schema, value, text):
    assert message(custom({"v": schema}), {"v": value}) == text
