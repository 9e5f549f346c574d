"""The documents as documents: links lead somewhere, numbers are given once, nothing names somebody's machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs import documents

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
MACHINE_PATH = re.compile(r"(?<![\w$.}])/(work|home|root|tmp|Users|var/folders)/|\.\./shared/|\b[A-Z]:\\")
BIG = 200 * 1024


@pytest.mark.parametrize("path", documents.paths(), ids=documents.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in documents.links(path):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", file):
            continue
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{documents.name(path)} links to {target}"
        assert found.is_relative_to(ROOT), f"{documents.name(path)} links to {target}, outside of the project"
        assert not anchor or anchor in documents.anchors(found), f"{documents.name(path)}: no heading #{anchor}"


@pytest.mark.parametrize("path", documents.paths(), ids=documents.name)
def test_no_document_names_a_path_of_a_machine(path: Path) -> None:
    assert not (found := MACHINE_PATH.search(path.read_text(encoding="utf-8"))), found


def test_every_guide_is_linked_from_the_readme() -> None:
    linked = documents.links(ROOT / "README.md")
    for guide in (ROOT / "docs").glob("*.md"):
        assert f"docs/{guide.name}" in linked


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_has_context_decision_and_consequences_and_is_listed(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", content, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    title = re.match(r"# (\d{4}): (.+)\n", content)
    assert title
    assert title[1] == path.name[:4]
    assert f"| [{title[1]}]({path.name}) | {title[2]} |" in documents.text("docs/decisions/README.md")


def test_pictures_are_small_and_shown() -> None:
    for picture in (ROOT / "docs" / "images").glob("*"):
        assert picture.stat().st_size < BIG, picture.name
        assert picture.name in documents.everything(), f"{picture.name} is shown nowhere"


BASES = (ROOT, ROOT / "plugins" / "meshflow", ROOT / "include", ROOT / "include" / "manifests", ROOT / "sandbox")


@pytest.mark.parametrize("path", documents.paths(), ids=documents.name)
def test_every_file_that_a_document_names_is_there(path: Path) -> None:
    """Words in backticks that look like a path of the project: `engine/applier.py`, `gateway/egress.yaml`."""
    prose = documents.FENCE.sub("", path.read_text(encoding="utf-8"))
    for word in re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|yaml|md|lock|txt))`", prose):
        assert any((base / word).exists() for base in (*BASES, path.parent)), word
