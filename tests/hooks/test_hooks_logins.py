"""From `logins` in mesh.yaml and an Airflow connection to a login."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshflow import settings
from meshflow.clients.web import Login
from meshflow.errors import InvalidInput
from meshflow.hooks import logins
from tests.operators.harness import MESH

HOST = "reg.example.com:5000"


@pytest.fixture
def mesh(tmp_path: Path) -> settings.Mesh:
    file = tmp_path / "mesh.yaml"
    file.write_text(f"{MESH} {{}}\nlogins:\n  {HOST}: our_registry\n")
    return settings.load(file, environ={})


def connect(monkeypatch: pytest.MonkeyPatch, **connection: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OUR_REGISTRY", json.dumps({"conn_type": "generic", **connection}))


@pytest.mark.parametrize("host", ["", "reg.example.com", "https://reg.example.com/", HOST])
def test_the_connection_that_mesh_yaml_names_has_the_login(
    mesh: settings.Mesh, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    connect(monkeypatch, login="robot", password="secret", host=host)
    assert logins.of(mesh)(HOST) == Login("robot", "secret", "our_registry")


def test_other_hosts_are_asked_without_a_login(mesh: settings.Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_OUR_REGISTRY", raising=False)
    assert logins.of(mesh)("reg.example.com") is None


def test_a_connection_that_is_not_there_is_asked_for_with_the_line_that_names_it(
    mesh: settings.Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_OUR_REGISTRY", raising=False)
    expected = (
        r"^connection our_registry: does not exist\. Make a connection of type generic.*mesh\.yaml:\d+ names it for"
    )
    with pytest.raises(InvalidInput, match=expected):
        logins.of(mesh)(HOST)


@pytest.mark.parametrize(("given", "missing"), [({"login": "robot"}, "password"), ({"password": "secret"}, "login")])
def test_a_connection_without_login_or_password_is_refused(
    mesh: settings.Mesh, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    connect(monkeypatch, **given)
    with pytest.raises(InvalidInput, match=f"has no {missing}. Fill in both") as refused:
        logins.of(mesh)(HOST)
    assert "secret" not in str(refused.value)


def test_the_login_of_one_host_is_not_sent_to_another(mesh: settings.Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever may write mesh.yaml could have any connection's password sent to a host of his."""
    connect(monkeypatch, login="robot", password="secret", host="db.example.com")
    with pytest.raises(InvalidInput, match=r"is for the host db\.example\.com, not for reg\.example\.com:5000"):
        logins.of(mesh)(HOST)
