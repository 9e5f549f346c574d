"""The short notation of schemas."""

import pytest

from sandbox.charts import schema


def test_fields_lists_maps_and_objects_are_written_out() -> None:
    """A structural schema, with what is required."""
    found = schema.parse("hosts!: [str]\nlabels: {str}, port: (number!: uint32)", {})
    assert found == {
        "type": "object",
        "required": ["hosts"],
        "properties": {
            "hosts": {"type": "array", "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "port": {
                "type": "object",
                "required": ["number"],
                "properties": {"number": {"type": "integer", "minimum": 0, "maximum": 4294967295}},
            },
        },
    }


def test_enums_may_hold_the_empty_text_and_colons() -> None:
    """Flagger's kinds have both."""
    found = schema.parse('type: ""|pre-rollout|\n  gatewayapi:v1\nkind: =Ingress', {})["properties"]
    assert found["type"]["enum"] == ["", "pre-rollout", "gatewayapi:v1"]
    assert found["kind"]["enum"] == ["Ingress"]


def test_names_stand_for_other_entries() -> None:
    """They are written out in place: a definition cannot refer."""
    found = schema.parse("a: [Match]", {"Match": "exact: str"})
    assert found["properties"]["a"]["items"] == {"type": "object", "properties": {"exact": {"type": "string"}}}


@pytest.mark.parametrize("text", ["a: Nothing", "a", "a: [str", "a: str)", "a: (b: str", "a: ~"])
def test_a_mistake_in_a_table_is_an_error(text: str) -> None:
    """Never a schema that means something else."""
    with pytest.raises(ValueError):
        schema.parse(text, {})
