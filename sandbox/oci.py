"""Images without contents: names, and the index, manifests and blobs that are made from a name.

Everything follows from the name, so the same push always gives the same digests, and another tag gives others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

Obj = dict[str, Any]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLATFORMS = ("linux/amd64", "linux/arm64")
HOST = "registry.sandbox"  # of an image that names no host


class BadName(ValueError):
    """The text is no image with a tag; the message says so."""


class Name(NamedTuple):
    """An image by its tag."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, image: str) -> Name:
        """Raises BadName. Without a host it is one of the sandbox's own registry."""
        path, _, tag = image.rpartition(":")
        if not path or not tag or "/" in tag or "@" in image:
            raise BadName(f"{image!r} is no image with a tag; give it as HOST/REPOSITORY:TAG")
        host, _, rest = path.partition("/")
        if rest and ("." in host or ":" in host or host == "localhost"):
            return cls(host, rest, tag)
        return cls(HOST, path, tag)

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"


class Blob(NamedTuple):
    """Content with its address."""

    media_type: str
    content: bytes

    @classmethod
    def of(cls, media_type: str, document: Obj) -> Blob:
        return cls(media_type, json.dumps(document, separators=(",", ":"), sort_keys=True).encode())

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def descriptor(self) -> Obj:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}

    def manifests(self) -> list[Obj]:
        """The descriptors in an index."""
        found: list[Obj] = json.loads(self.content)["manifests"]
        return found


def blobs(name: Name) -> Iterator[Blob]:
    """All that a push of this image uploads; the index comes last."""
    entries = []
    for platform in PLATFORMS:
        system, _, architecture = platform.partition("/")
        layer = Blob(LAYER, f"layer of {name.repository}:{name.tag} for {platform}".encode())
        config = Blob.of(CONFIG, {"architecture": architecture, "os": system, "rootfs": {"type": "layers"}})
        manifest = Blob.of(
            MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor,
                "layers": [layer.descriptor],
            },
        )
        entries.append({**manifest.descriptor, "platform": {"architecture": architecture, "os": system}})
        yield from (layer, config, manifest)
    yield Blob.of(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
