"""From a chart's folder to its archive.

The same folder always gives the same bytes: members are sorted, and carry no times, owners or modes of this machine.
So a lock file made against one sandbox holds for the next.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sandbox.charts import definitions

Obj = dict[str, Any]
HOME = Path(__file__).parent / "repositories"
GENERATED: Mapping[tuple[str, str], tuple[str, Callable[[], list[Obj]]]] = {
    ("istio", "base"): ("files/crds.yaml", definitions.istio),
    ("flagger", "flagger"): ("crds/crd.yaml", definitions.flagger_crds),
}


class Chart(NamedTuple):
    """A chart as the repository serves it. `metadata` is Chart.yaml."""

    repository: str
    metadata: Obj
    archive: bytes

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        return str(self.metadata["version"])

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}.tgz"

    @property
    def digest(self) -> str:
        """sha256 of the archive in hex, as index.yaml and lock files have it."""
        return hashlib.sha256(self.archive).hexdigest()


def charts(home: Path = HOME) -> Iterator[Chart]:
    """Every chart below `home`, packed: folders are REPOSITORY/CHART."""
    for folder in sorted(path.parent for path in home.glob("*/*/Chart.yaml")):
        yield pack(folder)


def pack(folder: Path) -> Chart:
    """One chart, with the files that are made from tables."""
    repository = folder.parent.name
    metadata = yaml.safe_load((folder / "Chart.yaml").read_text())
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if generated := GENERATED.get((repository, metadata["name"])):
        path, make = generated
        files[path] = _documents(make())
    return Chart(repository, metadata, _archive(metadata["name"], files))


def _documents(objects: list[Obj]) -> bytes:
    return "---\n".join("\n".join(_lines(obj)) + "\n" for obj in objects).encode()


def _lines(value: Any) -> Iterator[str]:
    """A mapping or a list as YAML in block style: written here, so that no version of a library can change a digest."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        start = f"{key}:" if isinstance(value, dict) else "-"
        if isinstance(inner, dict | list) and inner:
            yield start
            yield from (f"  {line}" for line in _lines(inner))
        else:
            yield f"{start} {json.dumps(inner)}"


def _archive(top: str, files: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(files[name])
            archive.addfile(member, io.BytesIO(files[name]))
    return gzip.compress(plain.getvalue(), mtime=0)
