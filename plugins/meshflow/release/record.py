"""What a run leaves behind: one JSON document in a folder, linked to the one before it.

The documents' words: dag, run, cluster, trigger, rendered, plan, approval, apply, gates, outcome, timeline, failures;
a run has those that apply to it. Files are named `NNNNNN-RUN.json`; the folder is one chain (`chain`).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from meshflow import errors
from meshflow.release import chain, secrets
from meshflow.release.chain import Broken

LONGEST = 150  # characters of a run's id in a file name; Airflow allows 250, a file system 255 for all of the name
SHAPE = {"document": dict, "number": int, "sha256": str}
NAME = re.compile(r"^\d{6,}-.+\.json$")


class Written(NamedTuple):
    """Where a record is. `masked` are the paths of values that looked like secrets and were not written."""

    path: Path
    sha256: str
    number: int
    masked: tuple[str, ...] = ()


def append(folder: Path, document: Mapping[str, Any], *, now: datetime | None = None) -> Written:
    """Add the document to the folder's chain and say where it is.

    A repeated call with the newest record's own contents (a task that is tried again) writes nothing. Several
    processes may append at once. Raises OSError when the folder cannot be written, and InvalidInput when the newest
    record in it cannot be read.
    """
    clean = secrets.mask(document)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        newest = _newest(folder)
        if newest and chain.canonical(newest[1]["document"]) == chain.canonical(clean.document):
            return Written(newest[0], newest[1]["sha256"], newest[1]["number"], clean.paths)
        record = chain.link(clean.document, previous=newest[1] if newest else None, written=now or datetime.now(UTC))
        path = folder / f"{record['number']:06d}-{_slug(str(document.get('run', 'run')))}.json"
        _write(path, record)
    return Written(path, record["sha256"], record["number"], clean.paths)


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of a folder from the oldest on. Raises InvalidInput for one that is no JSON."""
    for path in _paths(folder):
        yield _load(path)


def newest(folder: Path) -> dict[str, Any] | None:
    """The last record of a folder, None when it has none. Raises InvalidInput for one that is no JSON."""
    found = _newest(folder)
    return found[1] if found else None


def verify(folder: Path) -> Broken | None:
    """The first broken link of the folder's chain, None when all hold."""
    try:
        return chain.verify(read(folder))
    except errors.InvalidInput as problem:
        return Broken(int(Path(problem.where).name.split("-")[0]), problem.problem)


def _paths(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("*.json") if NAME.match(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name.split("-")[0]))


def _newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    paths = _paths(folder)
    return (paths[-1], _load(paths[-1])) if paths else None


def _load(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or any(type(record.get(key)) is not kind for key, kind in SHAPE.items()):
            raise ValueError(f"it lacks one of {', '.join(SHAPE)}")
    except ValueError as problem:
        raise errors.InvalidInput(
            "is not a record", where=str(path), value=str(problem), way_out="Restore the file from a backup"
        ) from problem
    return record


def _write(path: Path, record: Mapping[str, Any]) -> None:
    """Whole or not at all: a reader never sees half a record."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=2, sort_keys=True, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _slug(text: str) -> str:
    """The run's name as a part of a file's, short enough for one: the document has it whole."""
    return re.sub(r"[^A-Za-z0-9_.~+-]+", "-", text)[:LONGEST].strip("-.") or "run"
