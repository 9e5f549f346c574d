"""ConfigMaps and Secrets that a kustomization makes of files and literals.

Their names end with a hash of their contents, so that a workload that names them is rolled out when they change; the
hash is the one that the kustomize tool computes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from meshflow import positions
from meshflow.objects.reference import Obj

Read = Callable[[str, positions.Field], bytes]
"""The contents of a file that is named at a path of the kustomization."""

_LETTERS = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})


def generate(
    kind: str,
    entry: Mapping[str, Any],
    *,
    options: Mapping[str, Any],
    read: Read,
    document: positions.Document,
    path: positions.Field,
) -> Obj:
    """The object of one generator, without the hash in its name."""
    contents = dict(_contents(entry, read, document, path))
    options = {**options, **entry.get("options", {})}
    metadata: Obj = {"name": entry["name"]}
    metadata |= {"namespace": entry["namespace"]} if entry.get("namespace") else {}
    metadata |= {name: dict(options[name]) for name in ("labels", "annotations") if options.get(name)}
    obj: Obj = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    if kind == "Secret":
        obj["type"] = entry.get("type", "Opaque")
        obj["data"] = {key: base64.b64encode(value).decode() for key, value in contents.items()}
    else:
        obj |= _config_map_data(contents)
    return obj | ({"immutable": True} if options.get("immutable") else {})


def suffix(obj: Obj) -> str:
    """The hash that ends the name."""
    essence: Obj = {"kind": obj["kind"], "name": obj["metadata"]["name"], "data": obj.get("data") or ""}
    if obj["kind"] == "Secret":
        essence["type"] = obj["type"]
    elif obj.get("binaryData"):
        essence["binaryData"] = obj["binaryData"]
    text = json.dumps(essence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":  # escaped by Go's encoder
        text = text.replace(character, f"\\u{ord(character):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(_LETTERS)


def _contents(
    entry: Mapping[str, Any], read: Read, document: positions.Document, path: positions.Field
) -> Iterator[tuple[str, bytes]]:
    for number, text in enumerate(entry.get("files", [])):
        key, _, name = text.rpartition("=")
        yield key or Path(name).name, read(name, (*path, "files", number))
    for number, text in enumerate(entry.get("literals", [])):
        key, equals, value = text.partition("=")
        if not equals:
            raise document.error("must be KEY=VALUE", (*path, "literals", number), value=text)
        yield key, _unquoted(value).encode()
    for number, name in enumerate(entry.get("envs", [])):
        place = (*path, "envs", number)
        try:
            lines = read(name, place).decode().splitlines()
        except UnicodeDecodeError as error:
            raise document.error("the file is no text", place, value=name) from error
        for line in lines:
            if line.strip() and not line.lstrip().startswith("#"):
                key, _, value = line.partition("=")
                yield key.strip(), value.encode()


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _config_map_data(contents: Mapping[str, bytes]) -> Obj:
    text: Obj = {}
    binary: Obj = {}
    for key, value in contents.items():
        try:
            text[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    return {name: part for name, part in (("data", text), ("binaryData", binary)) if part}
