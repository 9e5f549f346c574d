"""Tasks that ask a private registry, or a private chart repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from meshflow import errors
from meshflow.clients.web import host
from meshflow.operators.render import Render
from meshflow.operators.rollout import AcceptRequest
from sandbox.charts.repository import Repository
from sandbox.clock import Clock
from sandbox.oci import Name
from sandbox.registry import Registry
from tests.clients.guarded import PASSWORD, USER, Guarded, served
from tests.operators.harness import Run, World, deployment

CHART = {"chart": "flagger/loadtester", "version": "0.38.0", "release": "loadtester", "namespace": "flagger-system"}


@pytest.fixture
def private(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A service whose image, and a phase whose chart, are behind a login; mesh.yaml names `our_registry` for both."""
    images = Registry(Clock())
    images.add(Name.parse("ghcr.io/acme/web:2"))
    with served(Guarded(images.app, "bearer")) as registry, served(Guarded(Repository().app, "basic")) as charts:
        monkeypatch.setenv("MESHFLOW_REGISTRY_MIRROR", registry)
        monkeypatch.setenv("MESHFLOW_CHART_MIRROR", charts)
        world.phases["flagger"] = {"sources": [CHART]}
        world.service("web", [deployment("web", world.namespace)])
        file = world.root / "include/mesh.yaml"
        declared = yaml.safe_load(file.read_text())
        declared["charts"] = {"repositories": {"flagger": "https://flagger.app"}, "allow_unlocked": [CHART["chart"]]}
        declared["logins"] = {host(registry): "our_registry", host(charts): "our_registry"}
        file.write_text(yaml.safe_dump(declared))
        yield world


def connect(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    connection = {"conn_type": "generic", "login": USER, "password": password}
    monkeypatch.setenv("AIRFLOW_CONN_OUR_REGISTRY", json.dumps(connection))


def request(run: Run) -> Any:
    return run.execute(AcceptRequest(task_id="request", service="web", cluster="default"))


def test_a_tag_in_a_private_registry_is_released_by_its_digest(
    private: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, PASSWORD)
    run = Run(image="2")
    assert "@sha256:" in request(run)["pinned"]
    assert PASSWORD not in caplog.text + json.dumps(list(run.xcoms.values()))


def test_a_refused_login_is_one_sentence_in_the_record_without_the_password(
    private: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect(monkeypatch, "expired-secret")
    run = Run(image="2")
    with pytest.raises(errors.Unauthorized, match=r"login of the Airflow connection our_registry\. Correct that"):
        request(run)
    assert "our_registry" in run.failure("request")
    assert "expired-secret" not in caplog.text + run.failure("request")


def test_a_private_chart_repository_is_rendered_from(private: World, monkeypatch: pytest.MonkeyPatch) -> None:
    render = Render(task_id="render", bundles=["flagger"], cluster="default")
    connect(monkeypatch, PASSWORD)
    assert Run().execute(render)["flagger"]["objects"] > 0
