"""Records: linked, verifiable, without secrets."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from meshflow import errors
from meshflow.release import chain, record, secrets

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def fill(folder, count=3):
    return [record.append(folder, {"run": f"rollout__web__{n}", "n": n}, now=NOW) for n in range(count)]


def edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_records_are_numbered_and_linked(tmp_path):
    written = fill(tmp_path)
    records = list(record.read(tmp_path))
    assert written[0].path.name == "000001-rollout__web__0.json"
    assert [item["previous"] for item in records] == [None, written[0].sha256, written[1].sha256]
    assert record.verify(tmp_path) is None


def test_an_empty_chain_holds(tmp_path):
    assert record.verify(tmp_path / "none") is None


def test_a_changed_record_is_found(tmp_path):
    written = fill(tmp_path)
    edit(written[1].path, lambda data: data["document"].update(n=99))
    broken = record.verify(tmp_path)
    assert broken is not None
    assert (broken.number, "changed" in broken.problem) == (2, True)


def test_a_record_changed_together_with_its_hash_breaks_the_next_link(tmp_path):
    written = fill(tmp_path)

    def forge(data):
        data["document"]["n"] = 99
        data["sha256"] = chain.digest(data)

    edit(written[1].path, forge)
    broken = record.verify(tmp_path)
    assert broken is not None
    assert (broken.number, "replaced" in broken.problem) == (3, True)


def test_a_removed_record_is_found(tmp_path):
    written = fill(tmp_path)
    written[1].path.unlink()
    broken = record.verify(tmp_path)
    assert broken is not None
    assert (broken.number, "missing" in broken.problem) == (2, True)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"document": {}, "sha256": "a"}'])
def test_a_record_that_is_none_is_a_broken_link_and_is_not_appended_to(tmp_path, text):
    written = fill(tmp_path)
    written[2].path.write_text(text)
    broken = record.verify(tmp_path)
    assert broken is not None
    assert broken.number == 3
    with pytest.raises(errors.InvalidInput, match="backup"):
        record.append(tmp_path, {"run": "next"})


def test_the_same_document_again_is_not_written_twice(tmp_path):
    first = record.append(tmp_path, {"run": "r", "outcome": "succeeded"}, now=NOW)
    again = record.append(tmp_path, {"run": "r", "outcome": "succeeded"})
    assert again == first
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_many_writers_make_one_chain(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record.append(tmp_path, {"run": f"r{n}"}), range(24)))
    assert record.verify(tmp_path) is None
    assert len(list(record.read(tmp_path))) == 24


def test_names_of_runs_cannot_leave_the_folder(tmp_path):
    written = record.append(tmp_path, {"run": "../../etc/pass wd:2026"})
    assert written.path.parent == tmp_path
    assert written.path.name == "000001-etc-pass-wd-2026.json"


def test_a_run_may_have_as_long_a_name_as_airflow_allows(tmp_path):
    written = record.append(tmp_path, {"run": "r" * 250})
    assert len(written.path.name) < 200
    assert next(record.read(tmp_path))["document"]["run"] == "r" * 250


def test_secrets_are_masked_and_said_to_be(tmp_path):
    written = record.append(tmp_path, {"run": "r", "conf": {"password": "hunter2", "image": "a/b:1"}})
    assert written.masked == ("conf.password",)
    assert "hunter2" not in written.path.read_text()
    assert next(record.read(tmp_path))["document"]["conf"] == {"password": "***", "image": "a/b:1"}


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "Authorization: Bearer abcdefgh12345678",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0abc.sig",
        "https://ann:hunter2@registry.example/v2",
        "ghp_abcdefghijklmnopqrstuvwxyz",
        "github_pat_11ABCDEFG0abcdefghij_klmnopqrstuvwxyz",
        "rotate: password=hunter2, then push",
        "https://registry.example/v2?access_token=hunter2&scope=pull",
    ],
)
def test_values_that_look_like_secrets_are_masked_wherever_they_stand(value):
    found = secrets.mask({"log": [value]})
    assert found.paths == ("log[0]",)
    assert "***" in found.document["log"][0]
    assert "hunter2" not in str(found.document)


@pytest.mark.parametrize(
    "field",
    ["password", "db_password", "Authorization", "apiKey", "api-key", "session_token", "clientSecret", "Cookie"],
)
def test_fields_that_hold_secrets_are_masked_by_name(field):
    assert secrets.mask({field: "x"}).document == {field: "***"}


def test_fields_that_only_name_a_secret_stay():
    named = {"secretName": "tls", "token": {"name": "kiali-viewer"}, "secrets": [{"name": "a"}], "credentialName": "c"}
    document = secrets.mask(named).document
    assert document["secretName"] == "tls"
    assert document["token"] == {"name": "kiali-viewer"}
    assert secrets.mask({"digest": "sha256:" + "a" * 64, "token": None}).paths == ()


def test_equal_documents_give_equal_bytes_and_nan_does_not_break_them():
    class Word(StrEnum):
        A = "a"

    first = {"b": [1, (2, Word.A)], "a": {"x": float("nan"), "t": NOW}}
    second = {"a": {"t": NOW, "x": float("nan")}, "b": [1, [2, "a"]]}
    assert chain.canonical(first) == chain.canonical(second)
    assert json.loads(chain.canonical(first))["a"] == {"x": "nan", "t": NOW.isoformat()}
