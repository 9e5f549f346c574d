"""Which service follows which repository, by mesh.yaml and the manifests."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterator
from typing import NamedTuple

from meshflow import errors, settings
from meshflow.release.push import Push
from meshflow.release.request import split_image
from meshflow.words import PushPolicy

log = logging.getLogger(__name__)


class Watcher(NamedTuple):
    """One service, and which pushes are its business. Several may follow one repository: then each gets the push."""

    service: str
    repository: str  # with host
    tags: str  # shell pattern
    policy: PushPolicy

    def wants(self, push: Push) -> bool:
        """Whether the push is rolled out."""
        return push.repository == self.repository and fnmatch.fnmatchcase(push.tag, self.tags)


def watchers(mesh: settings.Mesh) -> Iterator[Watcher]:
    """Every service; one whose manifests cannot be read is left out, with a warning, so that the others go on."""
    for name in settings.service_names(folder=mesh.manifests / mesh.services.path):
        try:
            yield _watcher(mesh, name)
        except errors.MeshflowError as problem:
            log.warning("No push is rolled out for %s: %s", name, problem)


def _watcher(mesh: settings.Mesh, name: str) -> Watcher:
    found = mesh.service(name)
    repository, _, _ = split_image(found.image or _declared(mesh, name))
    return Watcher(name, repository, found.tags, found.policy)


def _declared(mesh: settings.Mesh, name: str) -> str:
    """The image in the manifests. Asks nobody: charts, which only check manifests, are left out."""
    from meshflow.operators import ways
    from meshflow.sources import render

    return ways.of(mesh, name, render.service(mesh, name).objects).image
