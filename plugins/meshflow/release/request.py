"""What a release asks for, checked before anything is touched.

The run id is made of service and digest, so that the second delivery of one push is the same Airflow run (a 409) and
not a second rollout. Airflow takes letters, digits and `_.~:+-` in run ids.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from meshflow import errors

SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
REPOSITORY = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")
REASON_LIMIT = 500
PARAMETER = "parameter"


@dataclass(frozen=True)
class Request:
    """One service and the image that it should run.

    `repository` is host and path without tag; at least one of `tag` and `digest` is set, and `digest` always is once
    the request was accepted (`resolved`).
    """

    service: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    reason: str = ""
    requested_by: str = "unknown"

    @classmethod
    def of(cls, params: Mapping[str, Any], *, services: Collection[str] | None = None) -> Request:
        """The request in `params` (service, image, digest, reason, requested_by).

        `image` is `repository[:tag][@digest]`. Raises InvalidInput that names the parameter, its value and the way out;
        with `services` given, a service that is not among them is one such case.
        """
        service = str(params.get("service") or "")
        if not SERVICE.fullmatch(service) or (services is not None and service not in services):
            known = f"Use one of: {', '.join(sorted(services))}" if services else "Use a DNS label"
            raise _invalid("no such service", "service", service, known)
        repository, tag, digest = split_image(str(params.get("image") or ""))
        given = params.get("digest") or None
        if given and digest and given != digest:
            raise _invalid(f"differs from the digest in the image, {digest}", "digest", given, "Give it once")
        request = cls(
            service, repository, tag, None, _reason(params), _one_line(params.get("requested_by")) or "unknown"
        )
        return request.resolved(str(given or digest)) if given or digest else request._tagged()

    def resolved(self, digest: str) -> Request:
        """The same request for exactly this digest."""
        if not DIGEST.fullmatch(digest):
            raise _invalid("not a digest", "digest", digest, "Write sha256: and 64 hexadecimal digits in lower case")
        return replace(self, digest=digest)

    @property
    def image(self) -> str:
        """What was asked for, as a person writes it: with the tag when there is one."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def pinned(self) -> str:
        """`repository@digest`, which is what the workload gets. Raises ValueError before the digest is known."""
        if self.digest is None:
            raise ValueError(f"{self.image} was not resolved to a digest yet")
        return f"{self.repository}@{self.digest}"

    @property
    def run_id(self) -> str:
        """`rollout__SERVICE__DIGEST12`. Raises ValueError before the digest is known."""
        if self.digest is None:
            raise ValueError(f"{self.image} was not resolved to a digest yet")
        return run_id(self.service, self.digest)

    def to_json(self) -> dict[str, Any]:
        return {
            "service": self.service,
            "image": self.image,
            "digest": self.digest,
            "reason": self.reason,
            "requested_by": self.requested_by,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Request:
        return cls.of(data)

    def _tagged(self) -> Request:
        if self.tag is None:
            raise _invalid("neither tag nor digest", "image", self.repository, "Write repository:tag or add a digest")
        return self


def run_id(service: str, digest: str) -> str:
    """The id of the Airflow run that rolls this digest out: the same push always gives the same id."""
    return f"rollout__{service}__{digest.removeprefix('sha256:')[:12]}"


def split_image(image: str) -> tuple[str, str | None, str | None]:
    """`host/path[:tag][@digest]` as repository, tag, digest. Raises InvalidInput.

    The host is needed: what a bare `nginx` means depends on who pulls it.
    """
    name, _, digest = image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:  # that colon belongs to a port
        repository, tag = name, ""
    if not REPOSITORY.fullmatch(repository):
        raise _invalid("not an image with its registry", "image", image, "Write host/path:tag or host/path@sha256:…")
    if tag and not TAG.fullmatch(tag):
        raise _invalid("not a tag", "image", image, "Use letters, digits, dots, dashes and underscores")
    return repository, tag or None, digest or None


def _reason(params: Mapping[str, Any]) -> str:
    reason = _one_line(params.get("reason"))
    if len(reason) > REASON_LIMIT:
        raise _invalid(f"longer than {REASON_LIMIT} characters", "reason", reason[:40] + "…", "Shorten it")
    return reason


def _one_line(text: object) -> str:
    """What somebody wrote goes into logs and records: a line of its own there would be a lie."""
    return " ".join(str(text or "").split())


def _invalid(problem: str, field: str, value: object, way_out: str) -> errors.InvalidInput:
    return errors.InvalidInput(problem, where=PARAMETER, field=field, value=value, way_out=way_out)
