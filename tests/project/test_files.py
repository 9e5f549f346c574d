"""Files written whole or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meshflow import files
from meshflow.errors import InvalidInput


def test_a_file_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    for text in (b"one", b"two"):
        assert files.write(tmp_path / "new" / "a.json", text).read_bytes() == text
    assert os.listdir(tmp_path / "new") == ["a.json"]


def test_many_may_write_the_same_at_once(tmp_path: Path) -> None:
    """On a shared volume even with the same process number."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: files.write(tmp_path / "a", b"x" * 100_000), range(200)))
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["taken/a.json", "folder"])
def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").touch()
    with pytest.raises(
        InvalidInput, match=r"cannot be written: .*Let the workers write there, or choose another folder"
    ):
        files.write(tmp_path / name, b"x")
    assert sorted(os.listdir(tmp_path)) == ["folder", "taken"]
