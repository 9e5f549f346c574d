"""Every word that Meshflow says or takes is explained to the people who read it."""

from __future__ import annotations

import argparse
import ast
import configparser
import re
import shlex
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from meshflow import errors, settings
from meshflow.engine import gates as engine_gates
from meshflow.gates import flagger, gateway, injection, istio, kiali, model, mtls, observability, rollout
from meshflow.health.model import Status
from meshflow.mesh.strategy import Strategy
from meshflow.plan.model import Action
from meshflow.release import push
from meshflow.release.outcome import Outcome
from meshflow.web.arrivals import Result
from meshflow.words import PushPolicy
from sandbox import cli
from tests.conftest import ROOT
from tests.docs import documents

PACKAGE = ROOT / "plugins" / "meshflow"
TOPICS = (flagger, gateway, injection, istio, kiali, mtls, observability, rollout)
GATE = re.compile(r"^[a-z]+\.[a-z_]+$")
NOT_FOR_PEOPLE = {"Service"}  # what `Mesh.service` answers, not a setting


def said(word: str, document: str) -> bool:
    """Whether the document has the word as code."""
    return f"`{word}`" in documents.text(document)


def gates_of(topic: ModuleType) -> set[str]:
    constants = {value for name, value in vars(topic).items() if name.isupper() and isinstance(value, str)}
    return {value for value in constants if GATE.match(value)} | ({"flagger.crds"} if topic is flagger else set())


def classes(*folders: str, bases: Iterable[str]) -> list[str]:
    """The classes in these folders with one of these bases, or that build on such a class."""
    trees = [ast.parse(file.read_text()) for folder in folders for file in sorted((PACKAGE / folder).glob("*.py"))]
    found = {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    known, before = set(bases), 0
    while len(known) != before:
        before = len(known)
        known |= {name for name, node in found.items() if {ast.unparse(base) for base in node.bases} & known}
    return sorted(known & found.keys())


def kinds_of_error(root: type[Exception]) -> list[str]:
    return sorted(
        name
        for kind in root.__subclasses__()
        if kind.__module__ == errors.__name__
        for name in (kind.__name__, *kinds_of_error(kind))
    )


@pytest.mark.parametrize("words", [Outcome, Action, Status, model.Result, PushPolicy, Strategy])
def test_every_word_of_a_vocabulary_is_explained(words: type[StrEnum]) -> None:
    document = {Strategy: "docs/own-service.md", PushPolicy: "include/mesh.yaml"}
    for word in words:
        if words is PushPolicy:
            assert word.value in documents.text(document[words]), word.value
        else:
            assert said(word.value, document.get(words, "docs/operations.md")), word.value


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.__name__.rpartition(".")[2])
def test_every_gate_has_its_row_for_the_person_on_call(topic: ModuleType) -> None:
    assert gates_of(topic)
    for gate in gates_of(topic):
        assert said(gate, "docs/operations.md"), gate


def test_the_guide_names_no_gate_that_is_not_there() -> None:
    rows = [line for line in documents.text("docs/operations.md").splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`([a-z]+\.[a-z_]+)`", row.split("|")[1])}
    assert named == {gate for topic in TOPICS for gate in gates_of(topic)}


@pytest.mark.parametrize("name", sorted(engine_gates.GATES))
def test_every_group_of_gates_is_documented(name: str) -> None:
    assert said(name, "docs/reference.md")


@pytest.mark.parametrize("name", [*kinds_of_error(errors.Temporary), *kinds_of_error(errors.Permanent), "Drifted"])
def test_every_error_says_what_to_do(name: str) -> None:
    assert said(name, "docs/operations.md")


@pytest.mark.parametrize(
    "name",
    [
        *classes("operators", bases=["BaseOperator", "ApprovalOperator"]),
        *classes("operators", "sensors", bases=["MeshOperator"]),
        *classes("triggers", bases=["BaseTrigger", "BaseEventTrigger"]),
    ],
)
def test_every_operator_sensor_and_trigger_is_documented(name: str) -> None:
    assert f"`{name}`" in documents.text("docs/reference.md")


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_every_dag_is_documented_with_its_title_and_its_tasks(path: Path) -> None:
    source = path.read_text()
    name = "rollout_<service>" if path.stem == "rollout_service" else path.stem
    row = next(line for line in documents.text("docs/reference.md").splitlines() if line.startswith(f"| `{name}` |"))
    if path.stem not in ("bootstrap_mesh", "rollout_service"):
        title = re.search(r'title="([^"{]+)"', source)
        assert title
        assert title[1] in row
    tasks = re.findall(r'task_id="(\w+)"', source)
    if path.stem in ("secure_mesh", "rollout_service", "check_drift", "rollback_service"):
        assert [task for task in tasks if task not in row] == []


def settings_of(kind: type[BaseModel]) -> list[str]:
    return [f"{kind.__name__}.{name}" for name in kind.model_fields if kind.__name__ not in NOT_FOR_PEOPLE]


@pytest.mark.parametrize("field", [field for kind in settings.Model.__subclasses__() for field in settings_of(kind)])
def test_every_setting_stands_in_mesh_yaml(field: str) -> None:
    """As a key that is set, or in a comment: then a reader of that file knows of it."""
    name = field.partition(".")[2]
    assert re.search(rf"(^|[\s#{{`(,]){name}\b", documents.text("include/mesh.yaml"), re.MULTILINE), field


def test_every_variable_of_the_environment_is_documented() -> None:
    read = {name for file in PACKAGE.rglob("*.py") for name in re.findall(r"\"(MESHFLOW_[A-Z_]+)\"", file.read_text())}
    assert read
    for name in read:
        assert said(name, "docs/reference.md"), name


def verbs() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_verb_of_make_that_a_document_names_is_there() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)(?=[`\s]|$)", "\n".join(code_of_documents())))
    assert named
    assert named <= verbs()


def test_every_verb_of_make_is_documented() -> None:
    code = "\n".join(code_of_documents())
    assert {verb for verb in verbs() - {"help"} if f"make {verb}" not in code} == set()


def code_of_documents() -> list[str]:
    """Everything in the documents that is set as code: fenced blocks and words in backticks."""
    fenced = [example.text for example in documents.examples("sh", "")]
    return fenced + re.findall(r"`([^`\n]+)`", documents.everything())


@pytest.mark.parametrize(
    "command",
    [
        line.split("#")[0].strip()
        for example in documents.examples("sh")
        for line in example.text.splitlines()
        if "-m sandbox" in line
    ],
)
def test_every_command_of_the_sandbox_is_understood(command: str) -> None:
    words = shlex.split(command)
    verb, *options = words[words.index("sandbox") + 1 :]
    found = {known.name: known for known in cli.verbs()}
    assert verb in found
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--state", type=Path)
    found[verb].arguments(parser)
    parser.parse_args(options)


def test_every_result_and_policy_of_a_push_is_explained() -> None:
    for word in [*Result, *PushPolicy]:
        assert said(word.value, "docs/image-push.md"), word.value


@pytest.mark.parametrize("registry", sorted(push.FORMATS))
def test_every_registry_that_may_call_has_its_address_explained(registry: str) -> None:
    assert f"/meshflow/hooks/{registry}`" in documents.text("docs/image-push.md")
    assert said(registry, "docs/reference.md")


def test_every_address_of_the_pages_is_in_the_reference() -> None:
    for module in ("records", "push"):
        for verb, path in re.findall(
            r'@router\.(get|post)\("([^"]+)"\)', (PACKAGE / "web" / f"{module}.py").read_text()
        ):
            address = re.sub(r"\{(\w+)\}", r"<\1>", path)
            assert said(f"{verb.upper()} /meshflow{address}", "docs/reference.md"), path


def test_the_layers_of_the_architecture_are_those_that_are_enforced() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    enforced = [
        {word.strip("() ") for word in line.split("|")}
        for line in config["importlinter:contract:layers"]["layers"].splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    drawn = next(e.text for e in documents.examples("") if e.document == "ARCHITECTURE.md" and "dags/" in e.text)
    shown = [{word.strip() for word in re.split(r"\s{2,}", line)[0].split("|")} for line in drawn.splitlines()]
    assert [layer for layer in shown if layer & set().union(*enforced)] == enforced


def test_every_parameter_of_a_pipeline_is_documented() -> None:
    sources = [*(ROOT / "dags").glob("*.py"), PACKAGE / "operators" / "frame.py"]
    named = {name for file in sources for name in re.findall(r'"(\w+)": Param\(', file.read_text())}
    assert {"cluster", "image"} <= named
    for name in named:
        assert said(name, "docs/reference.md"), name
