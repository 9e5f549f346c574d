"""What gates ask for: names and services as mesh.yaml declares them."""

from __future__ import annotations

import shutil
from pathlib import Path

from meshflow import settings
from meshflow.clients.kube import Kube
from meshflow.engine import gates
from meshflow.engine.questions import verification
from meshflow.gates.model import Result


def test_every_declared_service_that_answers_requests_has_to_be_seen() -> None:
    """Those of the manifests, whatever the cluster holds: one that is missing there must not be missed here."""
    assert verification.called_services(settings.load(environ={})) == [
        "api-gateway",
        "data-analysis",
        "data-modelling",
        "data-retrieval",
        "frontend",
        "session-management",
        "user-management",
    ]


async def test_flagger_is_asked_after_under_whatever_name_its_repository_has(kube: Kube, tmp_path: Path) -> None:
    """Names of repositories in mesh.yaml are free; without any chart of it the verdict is that there is no Flagger."""
    declared = (settings.default_file()).read_text()
    include = tmp_path / "include"
    shutil.copytree(settings.default_file().parent, include)
    renamed = declared.replace("    flagger: https://", "    fluxcd: https://").replace(
        "chart: flagger/", "chart: fluxcd/"
    )
    assert renamed.count("fluxcd") == 3
    (include / "mesh.yaml").write_text(renamed)
    mesh = settings.load(include / "mesh.yaml", environ={})
    verdicts = {verdict.gate: verdict for verdict in await gates.evaluate(kube, mesh, "flagger", {})}
    assert verdicts["flagger.available"].result is Result.FAIL
    assert "there is no Flagger" in verdicts["flagger.available"].reason
