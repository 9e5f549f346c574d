"""Values for charts: read from files, merged as Helm merges them, and checked so that a typo names its line.

A chart with a schema is checked by Helm, whose complaint (`at '/service/type': got number, want string`) is turned back
into file, line and field. Since most schemas let unknown keys pass, and many charts have none, we look ourselves too: a
key at the top that neither the chart's defaults, nor its templates, nor its schema know is refused, and a key further
down if it looks like a misspelt sibling. More would refuse what is right: charts put whole maps of values into their
objects without naming what is in them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from meshflow import complaints, positions
from meshflow.errors import InvalidInput
from meshflow.sources import manifests

ALWAYS = ("global", "tags", "enabled")
"""Keys that Helm itself or a parent chart reads."""

WRAPPED = "_internal_defaults_do_not_set"
"""Under this key Istio's charts keep their defaults; what they mean stands at the top."""

NEAR = 0.75
"""How much two words have in common, of which one is taken for the other: two letters swapped in a word of four."""

_COMPLAINT = re.compile(r"at '(?P<at>[^']*)': (?P<problem>.+)")
_EXTRA = re.compile(r"additional properties (?P<names>'[^']+'(?:, '[^']+')*) not allowed")


class Known(NamedTuple):
    """What a chart says of its values."""

    defaults: Mapping[str, Any]
    texts: str  # templates and schema, as one text
    dependencies: tuple[str, ...]


class Values(NamedTuple):
    """Merged values and the documents that they come from."""

    merged: dict[str, Any]
    documents: tuple[positions.Document, ...]

    def error(self, problem: str, path: positions.Field, *, otherwise: str, value: object = None) -> InvalidInput:
        """The error at the last file that has the field; `otherwise` is the place where none has."""
        for document in reversed(self.documents):
            if path and path in document.lines:
                return document.error(problem, path, value=value)
        for document in reversed(self.documents):
            if path[:-1] in document.lines and len(path) > 1:
                return document.error(problem, path, value=value)
        where = self.documents[-1].where() if self.documents else otherwise
        return InvalidInput(problem, where=where, field=positions.dotted(path) or None, value=value)


def read(paths: Sequence[Path], *, root: Path) -> Values:
    """The values of these files, the later ones winning."""
    documents = tuple(doc for path in paths for doc in positions.read(path, name=manifests.shown(path, root)))
    merged: dict[str, Any] = {}
    for document in documents:
        if not isinstance(document.value, dict):
            raise document.error("values must be a YAML mapping")
        merged = merge(merged, document.value)
    return Values(merged, documents)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: maps are merged, the rest is replaced. A null stays: it removes a default."""
    merged = dict(base)
    for name, value in over.items():
        here = merged.get(name)
        merged[name] = merge(here, value) if isinstance(here, Mapping) and isinstance(value, Mapping) else value
    return merged


def check(values: Values, known: Known, *, chart: str) -> None:
    """Raise InvalidInput for a key that the chart does not know."""
    defaults = {**known.defaults, **(known.defaults.get(WRAPPED) or {})}
    for name in values.merged:
        if name not in defaults and name not in (*ALWAYS, *known.dependencies) and not _mentioned(name, known):
            near = complaints.suggestion(name, defaults)
            raise values.error(f"the chart {chart} has no such value{near}", (name,), otherwise=chart)
    for path, near in _misspelt(values.merged, defaults, known, ()):
        raise values.error(f"the chart {chart} has no such value; did you mean {near!r}?", path, otherwise=chart)


def complaint(values: Values, message: str, *, chart: str) -> InvalidInput:
    """Helm's complaint about values as an error at the line that it is about."""
    for match in _COMPLAINT.finditer(message):
        if match["problem"] in ("validation failed", "allOf failed", "anyOf failed", "oneOf failed"):
            continue
        path: positions.Field = tuple(int(p) if p.isdigit() else p for p in match["at"].split("/") if p)
        if extra := _EXTRA.search(match["problem"]):
            name = extra["names"].split(",")[0].strip("' ")
            return values.error(f"the chart {chart} has no such value", (*path, name), otherwise=chart)
        return values.error(f"the chart {chart} refuses it: {match['problem']}", path, otherwise=chart)
    return values.error(f"the chart {chart} refuses the values: {' '.join(message.split())}", (), otherwise=chart)


def _misspelt(
    value: Mapping[str, Any], defaults: Mapping[str, Any], known: Known, path: positions.Field
) -> Iterator[tuple[positions.Field, str]]:
    """(path, sibling) of keys that are unknown, and spelt nearly like a sibling that is not set.

    Siblings are those of the defaults, and what templates ask for by name (`.Values.service.nodePort`).
    """
    for name, entry in value.items():
        below = defaults.get(name)
        if isinstance(entry, Mapping) and isinstance(below, Mapping):
            yield from _misspelt(entry, below, known, (*path, name))
        elif path and name not in defaults and not _mentioned(name, known):
            asked = re.findall(rf"\.Values\.{re.escape('.'.join(map(str, path)))}\.(\w+)", known.texts)
            siblings = {sibling for sibling in (*defaults, *asked) if sibling not in value}
            if near := difflib.get_close_matches(name, siblings, n=1, cutoff=NEAR):
                yield (*path, name), near[0]


def _mentioned(name: str, known: Known) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", known.texts) is not None
