"""The documents as the tests read them: their text, their links, and their fenced examples."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

FENCE = re.compile(r"^```(?P<language>[a-z-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
SERVICES = "include/manifests/services/"
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


class Example(NamedTuple):
    """A fenced block. `file` is what its first line names as a comment, empty without one."""

    document: str
    line: int
    language: str
    text: str

    @property
    def file(self) -> str:
        found = re.match(r"# (\S+\.ya?ml)(, (?P<path>\S+))?$", self.text.splitlines()[0]) if self.text else None
        return found[1] if found else ""

    @property
    def path(self) -> str:
        """The dotted path in that file that the example is about, empty for all of it."""
        found = re.match(r"# \S+\.ya?ml, (\S+)$", self.text.splitlines()[0])
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def paths() -> list[Path]:
    """Every document of the project."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "sandbox" / "README.md"])


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def everything() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths())


def examples(*languages: str) -> list[Example]:
    """All fenced blocks in one of these languages."""
    return [example for path in paths() for example in _examples(path) if example.language in languages]


def _examples(path: Path) -> Iterator[Example]:
    content = path.read_text(encoding="utf-8")
    for match in FENCE.finditer(content):
        line = content.count("\n", 0, match.start()) + 1
        yield Example(name(path), line, match["language"], match["text"])


def checkout(folder: Path) -> Path:
    """The project's include/ in a folder, with the services that the documents spell out added."""
    shutil.copytree(ROOT / "include", folder / "include")
    for example in examples("yaml"):
        if example.file.startswith(SERVICES) and not example.path:
            file = folder / example.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(example.text)
    return folder


def links(path: Path) -> list[str]:
    """The targets of all links outside of fenced blocks."""
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    return [match["target"] for match in LINK.finditer(prose)]


def anchors(path: Path) -> set[str]:
    """The anchors that headings make, as GitHub makes them."""
    titles = (match["title"] for match in HEADING.finditer(FENCE.sub("", path.read_text(encoding="utf-8"))))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
