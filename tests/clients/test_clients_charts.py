"""Chart archives: lock, cache, repositories."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from meshflow import declared
from meshflow.clients.charts import ChartStore, Pin
from meshflow.errors import Forbidden, InvalidInput, MeshflowError, NotFound, Rejected, ServerBusy, Unreachable

ARCHIVE = b"an archive"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
INDEX = """\
apiVersion: v1
entries:
  base:
    - {version: 1.30.3, urls: [base-1.30.3.tgz]}
    - {version: 1.30.2, urls: ['https://elsewhere.example.com/base-1.30.2.tgz?signature=secret']}
    - {version: 1.30.1, urls: []}
"""
PIN = Pin("istio", "base", "1.30.3")

Handler = Callable[[httpx.Request], httpx.Response]


class Repository:
    """A chart repository that counts what it is asked."""

    def __init__(self, files: dict[str, bytes | int]) -> None:
        self.files, self.asked = files, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        self.asked.append(url)
        answer = self.files.get(url, 404)
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, content=answer)


def good() -> Repository:
    root = "https://charts.example.com/istio"
    return Repository({f"{root}/index.yaml": INDEX.encode(), f"{root}/base-1.30.3.tgz": ARCHIVE})


def store(folder: Path, handler: Handler, **changes: object) -> ChartStore:
    charts = declared.Charts.model_validate(
        {
            "repositories": {"istio": "https://charts.example.com/istio"},
            "lock": folder / "charts.lock",
            "cache": folder / "cache",
            **changes,
        }
    )
    return ChartStore(charts, transport=httpx.MockTransport(handler))


def test_a_locked_chart_is_fetched_once_and_then_kept(tmp_path: Path) -> None:
    repository = good()
    store(tmp_path, repository).lock([PIN])
    repository.asked.clear()
    path = store(tmp_path, repository).fetch(*PIN)
    assert path.read_bytes() == ARCHIVE
    assert repository.asked == []


def test_the_lock_file_says_what_it_is_and_holds_the_digest(tmp_path: Path) -> None:
    charts = store(tmp_path, good())
    assert charts.lock([PIN]) == {PIN: DIGEST}
    assert charts.locked() == {PIN: DIGEST}
    assert (tmp_path / "charts.lock").read_text().startswith("# sha256 of every chart archive")


def test_an_unlocked_chart_is_refused_with_the_way_out(tmp_path: Path) -> None:
    repository = good()
    with pytest.raises(InvalidInput, match=r"istio/base 1\.30\.3 is not locked.*make lock.*allow_unlocked"):
        store(tmp_path, repository).fetch(*PIN)
    assert repository.asked == []


def test_an_unlocked_chart_may_be_allowed_by_name(tmp_path: Path) -> None:
    assert store(tmp_path, good(), allow_unlocked=["istio/base"]).fetch(*PIN).read_bytes() == ARCHIVE


def test_an_archive_that_differs_from_the_lock_is_refused(tmp_path: Path) -> None:
    repository = good()
    store(tmp_path, repository).lock([PIN])
    repository.files["https://charts.example.com/istio/base-1.30.3.tgz"] = b"another archive"
    for kept in (tmp_path / "cache" / "charts").iterdir():
        kept.unlink()
    with pytest.raises(InvalidInput, match=f"{DIGEST} is locked"):
        store(tmp_path, repository).fetch(*PIN)


@pytest.mark.parametrize("digest", ["''", "null", "0" * 64, "abc"], ids=["empty", "null", "a number", "too short"])
def test_a_lock_without_a_digest_locks_nothing_and_lets_nothing_through(tmp_path: Path, digest: str) -> None:
    store(tmp_path, good()).lock([PIN])
    lock = tmp_path / "charts.lock"
    lock.write_text(lock.read_text().replace(DIGEST, digest))
    with pytest.raises(InvalidInput, match=r"charts\.lock:\d+: .*is no sha256"):
        store(tmp_path, good()).fetch(*PIN)


def test_a_changed_file_in_the_cache_is_not_used(tmp_path: Path) -> None:
    repository = good()
    store(tmp_path, repository).lock([PIN])
    (tmp_path / "cache" / "charts" / f"{DIGEST}.tgz").write_bytes(b"tampered with")
    assert store(tmp_path, repository).fetch(*PIN).read_bytes() == ARCHIVE


def test_a_cache_that_only_can_be_read_serves_what_it_has(tmp_path: Path) -> None:
    repository = good()
    store(tmp_path, repository).lock([PIN])
    repository.asked.clear()
    (tmp_path / "cache" / "charts").chmod(0o555)
    assert store(tmp_path, repository).fetch(*PIN).read_bytes() == ARCHIVE
    assert repository.asked == []


@pytest.mark.parametrize("place", ["lock", "cache"])
def test_a_cache_or_lock_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InvalidInput, match=r"taken/.*cannot be written: .*MESHFLOW_CACHE"):
        store(tmp_path, good(), **{place: tmp_path / "taken" / "x"}).lock([PIN])


@pytest.mark.parametrize(
    "lock",
    ["[]", "charts: 1", "charts: {a: b}", "charts: [1]", "text", "charts: [[repository, name, version, sha256]]"],
)
def test_a_lock_that_is_something_else_is_refused_in_a_sentence(tmp_path: Path, lock: str) -> None:
    (tmp_path / "charts.lock").write_text(lock)
    with pytest.raises(InvalidInput, match=r"charts\.lock:1: charts.*Run `make lock`"):
        store(tmp_path, good()).locked()


def test_an_empty_lock_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / "charts.lock").write_text("charts:\n")
    assert store(tmp_path, good()).locked() == {}


def test_a_mirror_serves_every_repository_under_its_name(tmp_path: Path) -> None:
    root = "http://mirror.example.com/istio"
    repository = Repository({f"{root}/index.yaml": INDEX.encode(), f"{root}/base-1.30.3.tgz": ARCHIVE})
    assert store(tmp_path, repository, mirror="http://mirror.example.com/").lock([PIN]) == {PIN: DIGEST}


def test_an_unknown_version_names_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no version 1\.31\.0 of the chart base; the latest are 1\.30\.3, 1\.30\.2"):
        store(tmp_path, good()).lock([Pin("istio", "base", "1.31.0")])


def test_an_unknown_chart_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no chart bsae; did you mean 'base'\?"):
        store(tmp_path, good()).lock([Pin("istio", "bsae", "1.30.3")])


def test_an_unknown_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"unknown chart repository; did you mean 'istio'\?"):
        store(tmp_path, good()).lock([Pin("isto", "base", "1.30.3")])


def test_no_query_of_an_address_is_printed(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        store(tmp_path, good()).lock([Pin("istio", "base", "1.30.2")])
    assert "elsewhere.example.com/base-1.30.2.tgz" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"), [(403, Forbidden), (404, NotFound), (418, Rejected), (429, ServerBusy), (503, ServerBusy)]
)
def test_refusals_of_the_repository_keep_their_meaning(tmp_path: Path, status: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"https://charts\.example\.com/istio/index\.yaml"):
        store(tmp_path, Repository({"https://charts.example.com/istio/index.yaml": status})).lock([PIN])


def test_no_answer_is_unreachable_and_says_where_to_look(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(Unreachable, match=r"connection refused\. Check charts\.repositories and charts\.mirror"):
        store(tmp_path, refuse).lock([PIN])


def test_a_page_that_is_no_index_is_refused(tmp_path: Path) -> None:
    repository = Repository({"https://charts.example.com/istio/index.yaml": b"<html>sign in</html>"})
    with pytest.raises(Rejected, match="is not the index of a chart repository"):
        store(tmp_path, repository).lock([PIN])


def test_of_a_large_index_only_the_chart_s_part_is_read(tmp_path: Path) -> None:
    """As Helm writes it; what is wrong elsewhere does not matter."""
    others = "".join(f"  other{n}:\n  - version: 1.30.3\n    description: |-\n      a\n\n      b\n" for n in range(9))
    own = "  base:\n  - version: 1.30.2\n\n  - urls:\n    - base.tgz\n    version: 1.30.3\n"
    index = f"apiVersion: v1\nentries:\n{others}{own}"
    root = "https://charts.example.com/istio"
    repository = Repository(
        {f"{root}/index.yaml": (index + "  other:\n  - [broken").encode(), f"{root}/base.tgz": ARCHIVE}
    )
    assert store(tmp_path, repository).lock([PIN]) == {PIN: DIGEST}


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ("entries: {base: }", "has no chart base"),
        ("entries: {base: [a, b]}", "has no version 1.30.3 of the chart base"),
        ("entries: {base: [{version: 1.30.3, urls: {a: b}}]}", "names no address for istio/base 1.30.3"),
        ("entries: {base: [{version: 1.30.3, urls: ['file:///etc/passwd']}]}", "names an address for istio/base"),
        ("entries: {base: [{version: 1.30.3, urls: ['http://[::1']}]}", "names an address for istio/base 1.30.3 that"),
        ("entries: \x07", r"istio/index.yaml:1: not YAML: the character U+0007 is not allowed"),
    ],
)
def test_an_index_that_is_broken_is_no_traceback(tmp_path: Path, index: str, sentence: str) -> None:
    repository = Repository({"https://charts.example.com/istio/index.yaml": index.encode()})
    with pytest.raises(MeshflowError) as refused:
        store(tmp_path, repository).lock([PIN])
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (httpx.Response(302, headers={"Location": "/"}), "can be read: Exceeded maximum allowed redirects. Check"),
        (httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no")), "decompressing"),
        (httpx.Response(304), "refuses the index of the repository istio (304). Check"),
    ],
    ids=["a circle", "not packed", "no body"],
)
def test_an_answer_that_is_none_is_no_traceback(tmp_path: Path, answer: httpx.Response, sentence: str) -> None:
    with pytest.raises(MeshflowError) as refused:
        store(tmp_path, lambda request: answer).lock([PIN])
    assert sentence in str(refused.value)


@pytest.mark.parametrize("manifest", ["<html>", "[]", '{"layers": null}', '{"layers": ["x", {"mediaType": "y"}]}'])
def test_a_broken_manifest_in_a_registry_is_no_traceback(tmp_path: Path, manifest: str) -> None:
    charts = store(
        tmp_path,
        lambda request: httpx.Response(200, text=manifest),
        repositories={"istio": "oci://registry.example.com/charts"},
    )
    with pytest.raises(MeshflowError, match=r"is not a manifest|is not a chart"):
        charts.lock([PIN])


def test_a_malformed_lock_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "charts.lock").write_text("charts:\n- {repository: istio, name: base, version: 1.30.3}\n")
    with pytest.raises(InvalidInput, match=r"charts\.lock:2: charts\[0\]: the field 'sha256' is missing"):
        store(tmp_path, good()).locked()


def test_a_chart_may_be_an_oci_artefact(tmp_path: Path) -> None:
    root = "https://registry.example.com/v2/charts/base"
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": f"sha256:{DIGEST}"}

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url == f"{root}/manifests/1.30.3":
            return httpx.Response(200, json={"layers": [{"mediaType": "other"}, layer]})
        assert request.url == f"{root}/blobs/sha256:{DIGEST}"
        return httpx.Response(200, content=ARCHIVE)

    charts = store(tmp_path, serve, repositories={"istio": "oci://registry.example.com/charts"})
    assert charts.lock([PIN]) == {PIN: DIGEST}


def test_a_plus_in_a_version_is_written_as_registries_take_it(tmp_path: Path) -> None:
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(404)

    with pytest.raises(NotFound, match=r"istio/base 1\.0\.0\+build"):
        store(tmp_path, serve, repositories={"istio": "oci://registry.example.com"}).lock(
            [Pin("istio", "base", "1.0.0+build")]
        )
    assert asked == ["/v2/base/manifests/1.0.0_build"]
