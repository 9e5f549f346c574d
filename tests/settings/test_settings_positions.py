"""YAML with positions."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshflow import positions
from meshflow.errors import InvalidInput

TEXT = """\
# a comment
a:
  b:
    - name: one
    - name: two
      value: 2
---
c: {d: 1}
---
"""


def test_each_field_knows_its_line() -> None:
    first, second = positions.parse(TEXT, name="x.yaml")
    assert first.where(("a", "b", 1, "value")) == "x.yaml:6"
    assert first.where(("a", "b", 0)) == "x.yaml:4"
    assert second.where(("c", "d")) == "x.yaml:8"


def test_a_field_that_is_not_written_has_the_line_of_its_nearest_ancestor() -> None:
    first, _ = positions.parse(TEXT, name="x.yaml")
    assert first.line(("a", "b", 1, "missing", "deep")) == 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1.30.3", "1.30.3"),
        ("1e3", 1000.0),
        ("0x1F", 31),
        ("0644", 420),
        ("-5", -5),
        ("yes", True),
        ("~", None),
        ("=", "="),
        ("'5'", "5"),
        ("128Mi", "128Mi"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    [document] = positions.parse(f"a: {text}", name="x")
    assert document.value == {"a": value}


def test_anchors_and_merges_are_followed() -> None:
    [document] = positions.parse("x: &x {b: 1}\ny:\n  <<: *x\n  c: 2\n", name="x")
    assert document.value["y"] == {"b": 1, "c": 2}


def test_a_duplicate_key_names_both_lines() -> None:
    with pytest.raises(InvalidInput, match=r"x:3: a\.b: the key is already set at line 2"):
        positions.parse("a:\n  b: 1\n  b: 2\n", name="x")


def test_broken_yaml_names_the_line() -> None:
    with pytest.raises(InvalidInput, match=r"^x:[34]: not YAML"):
        positions.parse("a: 1\nb: 2\nc: [1\n", name="x")


def test_a_tag_that_would_make_an_object_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not YAML"):
        positions.parse("a: !!python/object:os.system {}\n", name="x")


def test_fields_are_printed_as_people_write_them() -> None:
    assert positions.dotted(("spec", "ports", 0, "name")) == "spec.ports[0].name"
    assert (
        positions.dotted(("metadata", "labels", "app.kubernetes.io/name")) == "metadata.labels[app.kubernetes.io/name]"
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="cannot be read"):
        positions.read(file)
