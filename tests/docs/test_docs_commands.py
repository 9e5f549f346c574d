"""The commands of the guides, typed as they stand there, against a simulated cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Sandbox, running_sandbox
from tests.docs import documents

ACCOUNT = "system:serviceaccount:meshflow-system:meshflow"
FRONTEND = """\
apiVersion: v1
kind: Namespace
metadata: {name: weather}
---
apiVersion: v1
kind: Service
metadata: {name: frontend, namespace: weather}
spec:
  selector: {app: frontend}
  ports: [{port: 80}]
"""


def minor_version() -> int:
    """Of kubectl, 0 without one."""
    if not shutil.which("kubectl"):
        return 0
    asked = ["kubectl", "version", "--client", "-o", "json"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return int(re.sub(r"\D", "", json.loads(found.stdout)["clientVersion"]["minor"])) if found.returncode == 0 else 0


pytestmark = pytest.mark.skipif(minor_version() < 28, reason="no kubectl from 1.28 on the PATH")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from running_sandbox(tmp_path_factory.mktemp("commands"), "--speed", "20", "--crds")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands see of the project, in a folder that they may write to."""
    for name in ("docs", "include", "sandbox"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def block(document: str, holding: str) -> str:
    """The fenced commands of a document that hold a text."""
    (found,) = [e.text for e in documents.examples("sh") if e.document == document and holding in e.text]
    return found


def typed(commands: str, checkout: Path, kubeconfig: Path | None = None) -> str:
    """What a shell prints that stops at the first failure."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})}
    env["PATH"] = f"{checkout / 'bin'}:{env['PATH']}"
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(shell, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_account_of_the_guide_can_log_in(cluster: Sandbox, checkout: Path) -> None:
    """docs/own-cluster.md from the account to the connection."""
    typed(block("docs/own-cluster.md", "docs/rbac.yaml"), checkout, cluster.kubeconfig)
    (token,) = [example.text for example in documents.examples("yaml") if example.file == "token.yaml"]
    (checkout / "token.yaml").write_text(token)
    for name in ("airflow", "sudo"):
        command = checkout / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text('#!/bin/sh\necho "$@"\n')
        command.chmod(0o755)
    typed(block("docs/own-cluster.md", "set-credentials"), checkout, cluster.kubeconfig)
    said = typed(block("docs/own-cluster.md", "connections add kubernetes_default"), checkout, cluster.kubeconfig)
    placed, named = said.splitlines()
    assert placed.split()[-2:] == ["meshflow.kubeconfig", "/etc/meshflow/meshflow.kubeconfig"]
    assert "connections add kubernetes_default" in named
    assert "/etc/meshflow/meshflow.kubeconfig" in named
    assert ACCOUNT in typed("kubectl auth whoami", checkout, checkout / "meshflow.kubeconfig")


def test_the_way_back_to_permissive_is_written_in_our_name(cluster: Sandbox, checkout: Path) -> None:
    """docs/operations.md: the next run has to find no conflict."""
    for name in ("istio-system", "istio-ingress", "istio-egress"):
        made = f"kubectl create namespace {name} --dry-run=client -o yaml | kubectl apply -f -"
        typed(made, checkout, cluster.kubeconfig)
    deny = "kubectl apply --server-side --field-manager=meshflow -f include/manifests/mtls/strict/authorization.yaml"
    typed(deny, checkout, cluster.kubeconfig)
    typed(block("docs/operations.md", "--force-conflicts"), checkout, cluster.kubeconfig)
    assert "default-deny" not in typed("kubectl get authorizationpolicies -A", checkout, cluster.kubeconfig)
    show = "kubectl -n istio-system get peerauthentication default --show-managed-fields -o yaml"
    assert "manager: meshflow\n" in typed(show, checkout, cluster.kubeconfig)


def test_the_sandbox_alone_is_a_cluster_for_kubectl(checkout: Path) -> None:
    """docs/first-run.md, the part without Airflow."""
    try:
        assert "Ready" in typed(block("docs/first-run.md", "sandbox up --detach"), checkout)
    finally:
        typed(".venv/bin/python -m sandbox down || true", checkout)


def test_the_verbs_to_play_with_are_taken(checkout: Path) -> None:
    """docs/first-run.md: as against the demo, whose sandbox has a folder of its own."""
    sandbox, state = ".venv/bin/python -m sandbox", "--state .meshflow/demo/sandbox"
    typed(f"{sandbox} up --detach {state}", checkout)
    try:
        typed(f"kubectl apply -f - <<'END'\n{FRONTEND}END", checkout, checkout / ".meshflow/demo/sandbox/kubeconfig")
        said = typed(block("docs/first-run.md", "sandbox push"), checkout)
    finally:
        typed(f"{sandbox} down {state}", checkout)
    assert "podinfo:7.0.0 sha256:" in said
