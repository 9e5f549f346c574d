"""From an Airflow connection to a client of the cluster."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from meshflow import errors
from meshflow.hooks.cluster import ClusterHook
from meshflow.objects.reference import Reference
from tests.conftest import Sandbox

CONNECTION = "AIRFLOW_CONN_KUBERNETES_DEFAULT"


def connect(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> ClusterHook:
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "kubernetes", "extra": extra}))
    return ClusterHook("default")


def kubeconfig(sandbox: Sandbox) -> dict[str, Any]:
    import yaml

    loaded: dict[str, Any] = yaml.safe_load(sandbox.kubeconfig.read_text())
    return loaded


async def answers(hook: ClusterHook) -> bool:
    async with hook.kube() as kube:
        return bool(await kube.version())


async def test_a_path_to_a_kubeconfig(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await answers(connect(monkeypatch, kube_config_path=str(sandbox.kubeconfig)))


async def test_a_kubeconfig_as_a_mapping(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await answers(connect(monkeypatch, kube_config=kubeconfig(sandbox)))


async def test_a_kubeconfig_as_text_as_the_form_in_the_ui_stores_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await answers(connect(monkeypatch, kube_config=json.dumps(kubeconfig(sandbox))))


async def test_the_old_prefix_of_the_provider_is_understood(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await answers(connect(monkeypatch, extra__kubernetes__kube_config_path=str(sandbox.kubeconfig)))


async def test_the_cluster_can_tell_our_requests_from_those_of_others(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, namespace: str
) -> None:
    before = sandbox.ask("GET", "status")["writers"].get("meshflow", 0)
    async with connect(monkeypatch, kube_config_path=str(sandbox.kubeconfig)).kube() as kube:
        assert await kube.delete(Reference("", "Namespace", None, namespace))
    assert sandbox.ask("GET", "status")["writers"]["meshflow"] == before + 1


async def test_one_context_of_several(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    config = kubeconfig(sandbox)
    good = config["contexts"][0]["name"]
    config["clusters"].append({"name": "away", "cluster": {"server": "https://127.0.0.1:9"}})
    config["contexts"].append({"name": "away", "context": {"cluster": "away", "user": config["users"][0]["name"]}})
    config["current-context"] = "away"
    assert await answers(connect(monkeypatch, kube_config=config, cluster_context=good))


async def test_without_verification_a_strange_certificate_is_accepted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kubeconfig(sandbox)
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    assert await answers(connect(monkeypatch, kube_config=config, disable_verify_ssl=True))
    with pytest.raises(errors.Untrusted, match="certificate"):
        await answers(connect(monkeypatch, kube_config=config))


async def test_in_a_connection_written_as_a_uri_false_is_no_yes(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = {"in_cluster": "False", "disable_verify_ssl": "false", "kube_config_path": str(sandbox.kubeconfig)}
    assert await answers(connect(monkeypatch, **extras))


@pytest.mark.parametrize("field", ["certificate-authority-data", "client-certificate-data"])
async def test_a_certificate_that_is_none_is_a_sentence(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """OpenSSL's own words are `[X509] PEM lib`, and Airflow would try again three times."""
    config = kubeconfig(sandbox)
    nonsense = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----").decode()
    where = config["clusters"][0]["cluster"] if field.startswith("certificate") else config["users"][0]["user"]
    where |= {field: nonsense, **({"client-key-data": nonsense} if field.startswith("client") else {})}
    with pytest.raises(errors.InvalidInput, match="its certificates cannot be used") as failure:
        await answers(connect(monkeypatch, kube_config=config))
    assert "hunter2" not in str(failure.value)


def with_login(sandbox: Sandbox, command: list[str]) -> dict[str, Any]:
    """A kubeconfig that logs in by a command, as those of the clouds do."""
    config = kubeconfig(sandbox)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": command[0], "args": command[1:]}
    config["users"][0]["user"] = {"exec": run}
    return config


async def test_a_login_by_command(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    token = kubeconfig(sandbox)["users"][0]["user"]["token"]
    said = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": "2000-01-01T00:00:00Z"},
    }
    hook = connect(monkeypatch, kube_config=with_login(sandbox, ["/bin/echo", json.dumps(said)]))
    await answers_list(hook)


async def test_a_login_command_that_is_not_installed_is_named(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = connect(monkeypatch, kube_config=with_login(sandbox, ["no-such-authenticator"]))
    with pytest.raises(errors.InvalidInput, match="no-such-authenticator"):
        await answers(hook)


async def test_a_login_command_that_hangs_is_not_waited_for_for_ever(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hanging(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("kubernetes_asyncio.config.exec_provider.ExecProvider.run", hanging)
    monkeypatch.setattr("meshflow.hooks.cluster.LOGIN_SECONDS", 0.01)
    hook = connect(monkeypatch, kube_config=with_login(sandbox, ["login"]))
    with pytest.raises(errors.Unreachable, match="login command of the kubeconfig did not end"):
        await answers(hook)


def test_a_process_that_stops_with_a_client_open_says_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a triggerer does: it complained `aclose(): asynchronous generator is already running`."""
    complaints: list[Any] = []
    hook = connect(monkeypatch, kube_config_path=str(sandbox.kubeconfig))
    stack = AsyncExitStack()

    async def left_open() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, problem: complaints.append(problem))
        await (await stack.enter_async_context(hook.kube())).version()

    asyncio.run(left_open())
    assert not complaints


async def test_two_sources_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, in_cluster=True, kube_config_path="/somewhere")
    with pytest.raises(errors.InvalidInput, match="in_cluster and kube_config_path exclude each other"):
        await answers(hook)


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"kube_config_path": "/no/such/file"}, "kube_config_path"),
        ({"kube_config": "{not json"}, "kube_config"),
        ({"kube_config": "[]"}, "kube_config"),
        ({"kube_config": {"apiVersion": "v1"}}, "kube_config"),
        ({"in_cluster": True}, "in_cluster"),
    ],
    ids=["no file", "no JSON", "no mapping", "no kubeconfig", "not in a cluster"],
)
async def test_what_leads_nowhere_is_one_sentence_about_the_connection(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], field: str
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(errors.InvalidInput) as failure:
        await answers(connect(monkeypatch, **extra))
    assert str(failure.value).startswith(f"connection kubernetes_default: {field}: ")
    assert "Correct the extras of this connection under Admin > Connections" in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "- a", "a: {b\nc: [", "users: null\n", "clusters: [{name: home, cluster: {}}]\n", "clusters: [3]\n"],
)
async def test_a_kubeconfig_that_is_not_whole_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    """An empty one is seen, too, while somebody writes it anew."""
    whole = "apiVersion: v1\nkind: Config\ncurrent-context: home\ncontexts: [{name: home, context: {cluster: home}}]\n"
    file = tmp_path / "kubeconfig"
    file.write_text(whole + text if text.startswith(("users", "clusters")) else text)
    with pytest.raises(errors.InvalidInput, match="kube_config_path: does not lead to a cluster"):
        await answers(connect(monkeypatch, kube_config_path=str(file)))


async def test_a_connection_that_does_not_exist_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    with pytest.raises(errors.InvalidInput, match=r"kubernetes_default: does not exist.*Admin > Connections"):
        await answers(ClusterHook("default"))


async def test_an_unknown_cluster_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(errors.InvalidInput, match="no such cluster; did you mean 'default'"):
        ClusterHook("defualt").connection_id  # noqa: B018


async def test_a_wrong_token_is_a_sentence_without_the_token(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    config = kubeconfig(sandbox)
    config["users"][0]["user"]["token"] = "hunter2-hunter2"
    hook = connect(monkeypatch, kube_config=config)
    with pytest.raises(errors.Unauthorized) as failure:
        await answers_list(hook)
    assert "hunter2" not in str(failure.value)


async def answers_list(hook: ClusterHook) -> None:
    from meshflow.objects.kinds import Kind

    async with hook.kube() as kube:
        await kube.list(Kind("", "v1", "Namespace", "namespaces", False))


async def test_the_process_wide_default_configuration_stays_as_it_was(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes_asyncio.client import Configuration

    await answers(connect(monkeypatch, kube_config_path=str(sandbox.kubeconfig)))
    assert Configuration.get_default_copy().host != sandbox.facts["server"]


def test_the_store_keeps_names_inside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meshflow.hooks import store

    monkeypatch.setenv("MESHFLOW_HOME", str(tmp_path))
    for name in ("../../etc", "..", "a/b", "manual__2026-01-01T00:00:00+00:00"):
        assert store.plan_text(name, "istio").parent.parent == tmp_path / "plans"
        assert store.records(name).parent == tmp_path / "records"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    from meshflow.hooks import store

    path = store.write_text(tmp_path / "a/b.txt", "grüße")
    assert path.read_text(encoding="utf-8") == "grüße"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]
