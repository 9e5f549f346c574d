"""What registries say when an image was pushed, each in its own words, read into one form.

    registry      format                                             digest in it  signs
    ------------  -------------------------------------------------  ------------  -----------------------
    distribution  CNCF Distribution notifications (envelope)         yes           header that is set there
    dockerhub     Docker Hub webhook                                 no            not at all
    ghcr          GitHub `package` (or `registry_package`) event     yes           HMAC-SHA256 of the body
    harbor        Harbor webhook, type PUSH_ARTIFACT                 yes           Authorization header
    quay          Quay notification, event repo_push                 no            not at all

A push for several platforms is several events; the one with the tag names the index, which is what is rolled out, so
events without a tag are passed over. So is what belongs to an image and is none: signatures, attestations and bills of
material, whose tags are made of the image's digest. And whatever else a registry reports: pulls, deletions, a ping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from meshflow import complaints, errors
from meshflow.release.request import DIGEST, REPOSITORY, TAG, split_image

WHERE = "notification"
ATTACHED = re.compile(r"sha256-[0-9a-f]{64}(\.[a-z]+)?")
"""Tags that cosign and registries without referrers give to what belongs to an image."""


class Push(NamedTuple):
    """One tag of one repository (with host). `digest` is None where the registry did not say it."""

    repository: str
    tag: str
    digest: str | None

    @property
    def image(self) -> str:
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


def read(registry: str, payload: Any) -> tuple[Push, ...]:
    """The pushes in a registry's notification, each once; empty when it is about something else.

    Raises InvalidInput for an unknown registry, and for a notification that is not in its registry's format.
    """
    if registry not in FORMATS:
        raise errors.InvalidInput(
            f"no such registry format{complaints.suggestion(registry, FORMATS)}",
            where="address",
            value=registry,
            way_out=f"Use one of {', '.join(FORMATS)}",
        )
    pushes = dict.fromkeys([_checked(push) for push in FORMATS[registry](payload)])
    return tuple(push for push in pushes if not ATTACHED.fullmatch(push.tag))


def _distribution(payload: Any) -> Iterable[Push]:
    for event in _list(payload, "events"):
        target = _mapping(_mapping(event).get("target") or {})
        if event.get("action") == "push" and target.get("tag"):
            host = _text(event, "request", "host")
            yield Push(f"{host}/{_text(target, 'repository')}", target["tag"], _text(target, "digest"))


def _dockerhub(payload: Any) -> Iterable[Push]:
    name = _text(payload, "repository", "repo_name")
    yield Push(f"docker.io/{name if '/' in name else f'library/{name}'}", _text(payload, "push_data", "tag"), None)


def _ghcr(payload: Any) -> Iterable[Push]:
    package = _mapping(_mapping(payload).get("package") or _mapping(payload).get("registry_package") or {})
    if str(package.get("package_type", "")).lower() != "container":
        return
    version = _mapping(_value(package, "package_version"))
    tag = _mapping(_mapping(version.get("container_metadata") or {}).get("tag") or {})
    if tag.get("name"):
        repository, _, _ = split_image(_text(version, "package_url"))
        yield Push(repository, tag["name"], tag.get("digest") or version.get("version"))


def _harbor(payload: Any) -> Iterable[Push]:
    if _mapping(payload).get("type") != "PUSH_ARTIFACT":
        return
    for resource in map(_mapping, _list(payload, "event_data", "resources")):
        if resource.get("tag") and not DIGEST.fullmatch(str(resource["tag"])):
            host = _text(resource, "resource_url").partition("/")[0]
            name = _text(payload, "event_data", "repository", "repo_full_name")
            yield Push(f"{host}/{name}", resource["tag"], _text(resource, "digest"))


def _quay(payload: Any) -> Iterable[Push]:
    for tag in _list(payload, "updated_tags"):
        yield Push(_text(payload, "docker_url"), str(tag), None)


FORMATS: Mapping[str, Callable[[Any], Iterable[Push]]] = {
    "distribution": _distribution,
    "dockerhub": _dockerhub,
    "ghcr": _ghcr,
    "harbor": _harbor,
    "quay": _quay,
}
"""Registry → how its notifications are read; the names are those in the webhook's address."""


def _checked(push: Push) -> Push:
    """The push, once its parts are sure to be an image's: they go into run ids, confs and pages."""
    for word, value, pattern in (
        ("repository", push.repository, REPOSITORY),
        ("tag", push.tag, TAG),
        ("digest", push.digest, DIGEST),
    ):
        if value is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
            raise _not_as_expected(f"is no {word} of an image", word, value)
    return push


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _not_as_expected("is not a JSON object", None, type(value).__name__)
    return value


def _value(value: Any, *path: str) -> Any:
    """What stands at a path of keys; InvalidInput naming the path when a step is missing."""
    for step in path:
        value = _mapping(value).get(step)
        if value is None:
            raise _not_as_expected("is missing", ".".join(path), None)
    return value


def _text(value: Any, *path: str) -> str:
    found = _value(value, *path)
    if not isinstance(found, str):
        raise _not_as_expected("is not a text", ".".join(path), found)
    return found


def _list(value: Any, *path: str) -> list[Any]:
    found = _value(value, *path)
    if not isinstance(found, list):
        raise _not_as_expected("is not a list", ".".join(path), type(found).__name__)
    return found


def _not_as_expected(problem: str, field: str | None, value: object) -> errors.InvalidInput:
    return errors.InvalidInput(
        problem, where=WHERE, field=field, value=value, way_out="Check which registry the webhook's address names"
    )
