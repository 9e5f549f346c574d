"""Chart archives: fetched from their repositories, held against the lock file, kept in a cache.

    charts.lock   repository, name, version → sha256
    cache         charts/<sha256>.tgz

An archive is used only if its sha256 is the locked one, wherever it came from: repository, mirror or cache. What the
repository's own index says about digests is not trusted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

import httpx
import yaml

from meshflow import complaints, declared, files, positions, settings
from meshflow.clients import oci, web
from meshflow.errors import InvalidInput, MeshflowError, NotFound, Rejected

HEADER = """\
# sha256 of every chart archive that mesh.yaml uses. Written by `make lock`; commit it.
# An archive with another digest is refused, and so is a chart that does not stand here.
"""
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
DIGEST = re.compile(r"[0-9a-f]{64}")
VERSIONS_SHOWN = 5
CONNECT_SECONDS = 10.0
LOCK_ANEW = "Run `make lock`"
WAY_OUT = "Check charts.repositories and charts.mirror in mesh.yaml, and the network"


class Pin(NamedTuple):
    """A chart and the version of it that is wanted."""

    repository: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.repository}/{self.name} {self.version}"


class ChartStore:
    """The charts that mesh.yaml names. `logins` are for repositories that want one; `transport` is for tests."""

    def __init__(
        self,
        charts: declared.Charts,
        *,
        logins: web.Logins = web.nobody,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._charts = charts
        self._logins = logins
        self._transport = transport
        self._cache = (charts.cache or Path(".meshflow") / "cache") / "charts"

    def fetch(self, repository: str, name: str, version: str) -> Path:
        """The archive of a chart, with the locked sha256.

        Raises InvalidInput for a chart that is not locked or whose archive differs, NotFound for one that the
        repository does not have, Unreachable and the other errors of a server for the rest.
        """
        pin = Pin(repository, name, version)
        locked = self.locked().get(pin)
        if locked is None and f"{repository}/{name}" not in self._charts.allow_unlocked:
            raise InvalidInput(
                f"the chart {pin} is not locked",
                where=str(self._charts.lock),
                way_out=f"Run `make lock` and commit the file, or add {repository}/{name} to charts.allow_unlocked",
            )
        if locked is not None and (kept := self._kept(locked)):
            return kept
        data = self._download(pin)
        found = hashlib.sha256(data).hexdigest()
        if locked is not None and found != locked:
            raise InvalidInput(
                f"the archive of {pin} has the sha256 {found}, but {locked} is locked",
                where=str(self._charts.lock),
                way_out="Do not use it before you know why it changed; `make lock` accepts it",
            )
        return files.write(self._cache / f"{found}.tgz", data)

    def lock(self, pins: Iterable[Pin]) -> dict[Pin, str]:
        """Fetch each chart from the repository in use and write the lock file anew, with these charts only."""
        digests: dict[Pin, str] = {}
        for pin in sorted(set(pins)):
            data = self._download(pin)
            digests[pin] = hashlib.sha256(data).hexdigest()
            files.write(self._cache / f"{digests[pin]}.tgz", data)
        entries = [{**pin._asdict(), "sha256": digest} for pin, digest in digests.items()]
        files.write(self._charts.lock, (HEADER + yaml.safe_dump({"charts": entries}, sort_keys=False)).encode())
        return digests

    def locked(self) -> dict[Pin, str]:
        """What the lock file says; empty if there is none. InvalidInput with the line for a malformed one."""
        if not self._charts.lock.exists():
            return {}
        return {pin: digest for document in positions.read(self._charts.lock) for pin, digest in _pins(document)}

    def _kept(self, digest: str) -> Path | None:
        path = self._cache / f"{digest}.tgz"
        try:
            return path if hashlib.sha256(path.read_bytes()).hexdigest() == digest else None
        except OSError:
            return None

    def _download(self, pin: Pin) -> bytes:
        if pin.repository not in self._charts.repositories:
            near = complaints.suggestion(pin.repository, self._charts.repositories)
            raise InvalidInput(f"unknown chart repository{near}", where="charts.repositories", value=pin.repository)
        base = self._charts.url(pin.repository)
        timeout = httpx.Timeout(self._charts.timeout, connect=min(self._charts.timeout, CONNECT_SECONDS))
        made = web.made(lambda: httpx.Client(timeout=timeout, follow_redirects=True, transport=self._transport))
        with made as client:
            source = _Source(client, self._logins)
            return _pull(source, base, pin) if base.startswith("oci://") else _from_index(source, base, pin)


class _Source:
    """Where a chart is downloaded from, which may be several hosts, each with a login of its own."""

    def __init__(self, client: httpx.Client, logins: web.Logins) -> None:
        self._client, self._logins = client, logins
        self._tokens: dict[str, oci.TokenAuth] = {}

    def get(self, url: str, *, what: str) -> httpx.Response:
        """From a web server. The login is sent unasked, as many do not ask but answer 404."""
        login = self._logins(web.host(url))
        auth = httpx.BasicAuth(login.user, login.password) if login else None
        return self._get(url, auth, login, what=what, accept="*/*")

    def pull(self, url: str, *, what: str, accept: str = "*/*") -> httpx.Response:
        """From a registry."""
        login = self._logins(web.host(url))
        auth = self._tokens.setdefault(web.host(url), oci.TokenAuth(login))
        return self._get(url, auth, login, what=what, accept=accept)

    def _get(
        self, url: str, auth: httpx.Auth | None, login: web.Login | None, *, what: str, accept: str
    ) -> httpx.Response:
        try:
            response = self._client.get(url, headers={"Accept": accept}, auth=auth)
        except httpx.RequestError as error:
            raise web.unreachable(error, url, way_out=WAY_OUT) from error
        except httpx.InvalidURL as error:
            raise InvalidInput(f"not an address: {error}", where="charts.repositories", value=web.bare(url)) from error
        if not response.is_success:
            raise web.refusal(response, what=what, way_out=WAY_OUT, login=login)
        return response


def _pins(document: positions.Document) -> Iterator[tuple[Pin, str]]:
    """The entries of a lock file. InvalidInput with the line for one that is none."""
    entries = (document.value.get("charts") or []) if isinstance(document.value, dict) else None
    if not isinstance(entries, list):
        raise document.error("must be a list of charts", ("charts",), way_out=LOCK_ANEW)
    for number, entry in enumerate(entries):
        for name in (*Pin._fields, "sha256"):
            if not isinstance(entry, dict) or name not in entry:
                raise document.error(f"the field {name!r} is missing", ("charts", number), way_out=LOCK_ANEW)
        digest = entry["sha256"]
        if not (isinstance(digest, str) and DIGEST.fullmatch(digest)):  # an empty one must not pass for any
            raise document.error(f"{digest!r} is no sha256", ("charts", number, "sha256"), way_out=LOCK_ANEW)
        yield Pin(*(str(entry[name]) for name in Pin._fields)), digest


def wanted(mesh: settings.Mesh) -> list[Pin]:
    """Every chart that mesh.yaml names."""
    return sorted({Pin(s.repository, s.name, mesh.version_of(s)) for _, _, s in mesh.chart_sources()})


def _from_index(source: _Source, base: str, pin: Pin) -> bytes:
    index = source.get(f"{base}/index.yaml", what=f"the index of the repository {pin.repository}")
    url = _archive_url(_entry(index.text, base, pin), base, pin)
    if url.startswith("oci://"):
        return _pull(source, url.rpartition("/")[0], pin)
    return source.get(url, what=f"the chart {pin}").content


def _entry(index: str, base: str, pin: Pin) -> dict[str, Any]:
    """The index's entry for a version.

    Read whole, the index of a large repository takes half a minute. So the part that is about the chart is tried first,
    which is found where the index is laid out as Helm writes it.
    """
    part = re.search(rf"^  {re.escape(pin.name)}:\n(?:(?:   |  -).*\n|\n)+", index, re.MULTILINE)
    if part is not None:
        with suppress(MeshflowError):
            return _entry_in(f"entries:\n{part[0]}", base, pin)
    return _entry_in(index, base, pin)


def _entry_in(index: str, base: str, pin: Pin) -> dict[str, Any]:
    """The entry, out of this text. NotFound says what there is instead."""
    documents = positions.plain(index, name=f"{web.bare(base)}/index.yaml")
    entries = documents[0].get("entries") if documents and isinstance(documents[0], dict) else None
    if not isinstance(entries, dict):
        raise Rejected(f"{web.bare(base)}/index.yaml is not the index of a chart repository", status=502)
    if not isinstance(entries.get(pin.name), list):
        near = complaints.suggestion(pin.name, entries)
        raise NotFound(f"{web.bare(base)} has no chart {pin.name}{near}. Check its name in mesh.yaml")
    versions = {str(entry.get("version")): entry for entry in entries[pin.name] if isinstance(entry, dict)}
    for wish in (pin.version, f"v{pin.version}"):
        if wish in versions:
            return dict(versions[wish])
    known = f"; the latest are {', '.join(list(versions)[:VERSIONS_SHOWN])}" if versions else ""
    raise NotFound(f"{web.bare(base)} has no version {pin.version} of the chart {pin.name}{known}")


def _archive_url(entry: dict[str, Any], base: str, pin: Pin) -> str:
    """The first address of an entry, which may be relative to the index."""
    urls = entry.get("urls")
    if not (isinstance(urls, list) and urls):
        raise NotFound(f"the index of {web.bare(base)} names no address for {pin}")
    try:
        return declared.url(urljoin(f"{base}/", str(urls[0])))
    except ValueError as error:
        raise Rejected(f"the index of {web.bare(base)} names an address for {pin} that is none", status=502) from error


def _pull(source: _Source, base: str, pin: Pin) -> bytes:
    """A chart kept as an OCI artefact: its manifest's chart layer."""
    host, _, path = base.removeprefix("oci://").partition("/")
    root = f"https://{host}/v2/{f'{path}/' if path else ''}{pin.name}"
    accept = "application/vnd.oci.image.manifest.v1+json"
    tag = pin.version.replace("+", "_")  # as Helm does: a tag cannot hold a plus
    answer = source.pull(f"{root}/manifests/{tag}", what=f"the chart {pin}", accept=accept)
    layers = web.mapping(answer, what="a manifest", way_out=WAY_OUT).get("layers")
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict) and layer.get("mediaType") == LAYER and "digest" in layer:
            return source.pull(f"{root}/blobs/{layer['digest']}", what=f"the chart {pin}").content
    raise NotFound(f"{web.bare(root)}:{pin.version} is not a chart")
