"""What may stand in a kustomization.yaml: the fields that `sources.kustomize` knows, and of which type they are."""

from __future__ import annotations

import re

from meshflow import positions
from meshflow.sources import schema
from meshflow.sources.schema import Schema

_TEXT: Schema = {"type": "string"}
_WORD: Schema = {"type": ["string", "number"]}  # a tag may look like a number
_SWITCH: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_PAIRS: Schema = {"type": "object", "additionalProperties": _TEXT}


def _map(*required: str, **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": required}


def _list(*required: str, **fields: Schema) -> Schema:
    return {"type": "array", "items": _map(*required, **fields)}


_OPTIONS = _map(labels=_PAIRS, annotations=_PAIRS, disableNameSuffixHash=_SWITCH, immutable=_SWITCH)
_GENERATOR: dict[str, Schema] = {
    "name": _TEXT,
    "namespace": _TEXT,
    "files": _TEXTS,
    "literals": _TEXTS,
    "envs": _TEXTS,
    "options": _OPTIONS,
}
_TARGET = _map(group=_TEXT, version=_TEXT, kind=_TEXT, name=_TEXT, namespace=_TEXT, labelSelector=_TEXT)
_HEAD = ("apiVersion", "kind", "metadata")

_OF_THE_TOOL = [
    "bases",
    "buildMetadata",
    "components",
    "configurations",
    "crds",
    "generators",
    "helmCharts",
    "helmGlobals",
    "openapi",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "sortOptions",
    "transformers",
    "validators",
    "vars",
]
"""Fields that are no typos, though only the tool knows them."""

SCHEMA = _map(
    apiVersion=_TEXT,
    kind=_TEXT,
    metadata={"type": "object"},
    resources=_TEXTS,
    namespace=_TEXT,
    namePrefix=_TEXT,
    nameSuffix=_TEXT,
    labels=_list(pairs=_PAIRS, includeSelectors=_SWITCH, includeTemplates=_SWITCH),
    commonLabels=_PAIRS,
    commonAnnotations=_PAIRS,
    images=_list("name", name=_TEXT, newName=_TEXT, newTag=_WORD, digest=_TEXT),
    replicas=_list("name", "count", name=_TEXT, count={"type": "integer"}),
    patches=_list(path=_TEXT, patch=_TEXT, target=_TARGET),
    configMapGenerator=_list("name", **_GENERATOR),
    secretGenerator=_list("name", **_GENERATOR, type=_TEXT),
    generatorOptions=_OPTIONS,
)


def check(document: positions.Document) -> None:
    """Raise InvalidInput for the first field that is not supported, missing or of the wrong type."""
    for path, problem, value in schema.problems(document.value, SCHEMA, ()):
        if not problem.startswith(schema.UNKNOWN):
            raise document.error(problem, path, value=value)
        known = ", ".join(name for name in _known(path[:-1]) if name not in _HEAD)
        problem = problem.replace(schema.UNKNOWN, "not supported")
        raise document.error(
            "not supported" if path[-1] in _OF_THE_TOOL else problem, path, way_out=f"Supported are {known}"
        )
    for number, entry in enumerate(document.value.get("patches", [])):
        for name, value in (entry.get("target") or {}).items():
            _check_target(document, ("patches", number, "target", name), value)


def _known(path: positions.Field) -> list[str]:
    """The fields that may stand at a path."""
    shape = SCHEMA
    for part in path:
        shape = shape["items"] if isinstance(part, int) else shape["properties"][part]
    return list(shape["properties"])


def _check_target(document: positions.Document, path: positions.Field, value: str) -> None:
    if path[-1] == "labelSelector":
        if not all(re.fullmatch(r"\s*[^\s=!,]+=[^\s=!,]*\s*", pair) for pair in value.split(",") if value):
            raise document.error("only KEY=VALUE pairs with commas between are supported", path, value=value)
        return
    try:
        re.compile(value)
    except re.error as error:
        raise document.error(f"not a regular expression: {error}", path, value=value) from error
