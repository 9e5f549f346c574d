"""YAML with positions."""

from __future__ import annotations

from itertools import pairwise
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


def refusal(text: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        positions.parse(text, name="a.yaml")
    assert "\n" not in str(refused.value)
    return str(refused.value)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(f'*{old}' for _ in range(9))}]\n" for old, new in pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a\n  b: *a\n", "a.yaml:1: nested more than 100 levels deep, or an alias that contains itself"),
        ("a: &a [*a]\n", "an alias that contains itself"),
        ("[" * 500 + "]" * 500, "nested more than 100 levels deep"),
        (LAUGHS, "more than 500000 values: aliases that multiply"),
    ],
    ids=["an alias in itself", "a list in itself", "deep", "aliases of aliases"],
)
def test_what_would_never_end_is_refused(text: str, problem: str) -> None:
    assert problem in refusal(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: !!bool x\n", "a.yaml:2: b: not YAML: 'x' is no bool"),
        ("a: 1\nb: 0x_\n", "a.yaml:2: b: not YAML: '0x_' is no int"),
        ("a: .inf\n", "a.yaml:1: a: not YAML: '.inf' is no float"),
        ("a: 1e999\n", "a.yaml:1: a: not YAML: '1e999' is no float"),
        ("a: !!binary aGVq\n", "a.yaml:1: not YAML: the tag tag:yaml.org,2002:binary is not known"),
        ("a: !!timestamp 2020-01-01\n", "a.yaml:1: not YAML: the tag tag:yaml.org,2002:timestamp is not known"),
        ("a: !secret x\n", "a.yaml:1: not YAML: the tag !secret is not known"),
        ("a: 1\nb: \x07\n", "a.yaml:2: not YAML: the character U+0007 is not allowed"),
    ],
)
def test_a_value_that_no_server_could_take_names_its_line(text: str, problem: str) -> None:
    assert problem in refusal(text)


@pytest.mark.parametrize("text", ["a: \x07\n", "a: 0x_\n", "a: [\n"])
def test_text_that_a_server_sent_is_refused_in_a_sentence_too(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^index\.yaml(:\d+)?: not YAML"):
        positions.plain(text, name="index.yaml")


def test_a_mark_of_byte_order_and_windows_line_ends_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert positions.read(tmp_path / "a.yaml")[0].value == {"a": 1, "b": "x"}
