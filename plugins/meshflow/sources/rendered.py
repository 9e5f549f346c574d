"""What rendering gives: objects, a digest that names exactly them, and lines for people on where they came from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshflow import files
from meshflow.errors import InvalidInput
from meshflow.objects.parsing import Desired


@dataclass(frozen=True)
class Rendered:
    """The desired objects of a phase or service.

    `digest` is the sha256 of the canonical JSON of the objects: two renderings with the same digest are the same
    objects, wherever and whenever they were made. Origins and `sources` are not part of it.
    """

    objects: tuple[Desired, ...]
    sources: tuple[str, ...] = ()
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(canonical([d.obj for d in self.objects])).hexdigest())

    def dump(self, path: Path) -> None:
        """Write to `path`, replacing it at once or not at all: a task that dies half-way leaves no half file."""
        document = {
            "digest": self.digest,
            "sources": list(self.sources),
            "objects": [{"origin": desired.origin, "object": desired.obj} for desired in self.objects],
        }
        files.write(path, canonical(document))

    @classmethod
    def load(cls, path: Path) -> Rendered:
        """Read what `dump` wrote. InvalidInput if the file was changed since; FileNotFoundError if it is not there."""
        try:
            document = json.loads(path.read_bytes())
            rendered = cls(
                objects=tuple(Desired(entry["object"], entry["origin"]) for entry in document["objects"]),
                sources=tuple(document["sources"]),
            )
            same = rendered.digest == document["digest"]
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise InvalidInput(
                "the rendered objects differ from their digest",
                where=str(path),
                way_out="Delete the file and render again",
            )
        return rendered


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no blanks: the same bytes for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
