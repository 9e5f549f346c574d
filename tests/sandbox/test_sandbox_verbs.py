"""The verbs push and fault, against a running sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import cli

if TYPE_CHECKING:
    from tests.conftest import Sandbox


@pytest.fixture
def run(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a verb: its exit code, output and complaints."""

    def run_(*words: str) -> tuple[int, str, str]:
        code = cli.main([*words, "--state", str(sandbox.state)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_


def test_a_push_prints_the_digest(run: Any, sandbox: Sandbox) -> None:
    """And the registry has the image."""
    image = "ghcr.io/stefanprodan/podinfo:by-hand"
    code, said, _ = run("push", image, "--error-rate", "0.2", "--latency-p99", "900ms")
    digest = sandbox.ask("GET", "images")["stefanprodan/podinfo"]["by-hand"]
    assert (code, said) == (0, f"{image} {digest}\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["push", "nonsense"], "give it as HOST/REPOSITORY:TAG"),
        (["push", "a/b:1", "--error-rate", "7"], "'error_rate' must be a number from 0 to 1"),
        (["fault", "delay"], "needs 'by'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(run: Any, words: list[str], sentence: str) -> None:
    """On standard error, with exit code 1."""
    code, said, complaint = run(*words)
    assert (code, said) == (1, "")
    assert sentence in complaint


def test_a_fault_is_made_listed_and_cleared(run: Any) -> None:
    """With what it was told, in JSON lines."""
    _, said, _ = run(
        "fault", "pods", "--image", "*nobody*", "--change", "ready=30", "--change", "pull_error=no such tag"
    )
    made = json.loads(said)
    assert made["changes"] == {"ready": 30, "pull_error": "no such tag"}
    _, listed, _ = run("fault", "list")
    assert made["id"] in [json.loads(line)["id"] for line in listed.splitlines()]
    _, cleared, _ = run("fault", "clear", str(made["id"]))
    assert [json.loads(line)["id"] for line in cleared.splitlines()] == [made["id"]]
