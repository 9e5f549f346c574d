"""A cluster of include/mesh.yaml, by its Airflow connection of type `kubernetes`, as a `Kube`.

The connection's extras are those of the Kubernetes provider: `in_cluster`, `kube_config_path`, `kube_config` (a mapping
or JSON text), `cluster_context`, `disable_verify_ssl`. The provider's own hook is not used: importing it costs three
seconds a task, its synchronous client changes a process-wide default, and its asynchronous one ignores
`disable_verify_ssl`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from meshflow import complaints, errors, settings

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube

EXTRA_PREFIX = "extra__kubernetes__"
USER_AGENT = "meshflow"  # the name of our requests in the cluster's audit log
SOURCES = ("in_cluster", "kube_config_path", "kube_config")
LOGIN_SECONDS = 60  # for the command that a kubeconfig may have run to log in


class ClusterHook(BaseHook):
    """`cluster` is a name in `clusters` of mesh.yaml."""

    conn_type = "kubernetes"

    def __init__(self, cluster: str) -> None:
        super().__init__()
        self.cluster = cluster

    @property
    def connection_id(self) -> str:
        """The Airflow connection of the cluster; InvalidInput when mesh.yaml does not name it."""
        mesh = settings.load()
        if self.cluster not in mesh.clusters:
            raise errors.InvalidInput(
                f"no such cluster{complaints.suggestion(self.cluster, mesh.clusters)}",
                where="parameter",
                field="cluster",
                value=self.cluster,
                way_out=f"Use one of {', '.join(mesh.clusters)}, or add it under clusters in {mesh.file.name}",
            )
        return mesh.clusters[self.cluster].connection

    @asynccontextmanager
    async def kube(self) -> AsyncIterator[Kube]:
        """The cluster's client, closed on exit. Makes no request by itself.

        One generator, not two nested ones: a triggerer that stops closes those that are open all at once, and complains
        about an outer one that is just waiting for its inner one.
        """
        from meshflow.clients.kube import Kube

        api_client = await self._api_client(await self._extras())
        try:
            yield Kube(api_client, cluster=self.cluster)
        finally:
            await api_client.close()

    async def _extras(self) -> Mapping[str, Any]:
        try:
            connection = await self.aget_connection(self.connection_id)
        except AirflowNotFoundException as problem:
            raise errors.InvalidInput(
                "does not exist",
                where=f"connection {self.connection_id}",
                way_out=f"Make a connection of type kubernetes with this id under Admin > Connections, for the cluster "
                f"{self.cluster} of mesh.yaml",
            ) from problem
        return {key.removeprefix(EXTRA_PREFIX): value for key, value in connection.extra_dejson.items()}

    async def _api_client(self, extras: Mapping[str, Any]) -> Any:
        """The client that these extras of a connection describe."""
        from kubernetes_asyncio.client import ApiClient

        configuration = await self._configuration(extras)
        try:
            api_client = ApiClient(configuration=configuration)
        except OSError as problem:  # an ssl.SSLError is one too
            raise self._invalid(
                f"its certificates cannot be used: {problem}. certificate-authority-data, client-certificate-data or "
                "client-key-data is wrong",
                _source(extras),
            ) from problem
        api_client.user_agent = USER_AGENT
        return api_client

    async def _configuration(self, extras: Mapping[str, Any]) -> Any:
        import yaml
        from kubernetes_asyncio import client, config

        chosen = [name for name in SOURCES if _set(extras.get(name))]
        if len(chosen) > 1:
            raise self._invalid(f"{' and '.join(chosen)} exclude each other", chosen[1])
        configuration = client.Configuration()
        context = extras.get("cluster_context") or None
        try:
            if _set(extras.get("in_cluster")):
                config.load_incluster_config(client_configuration=configuration)
            else:
                async with asyncio.timeout(LOGIN_SECONDS):
                    await self._load(extras, context, configuration)
        except TimeoutError as problem:
            raise errors.Unreachable(
                f"connection {self.connection_id}: the login command of the kubeconfig did not end within "
                f"{LOGIN_SECONDS} s. Try it by hand on this worker",
                target=self.connection_id,
            ) from problem
        except (config.ConfigException, OSError, ValueError) as problem:
            raise self._invalid(f"does not lead to a cluster: {problem}", _source(extras)) from problem
        except (yaml.YAMLError, TypeError, AttributeError, AssertionError) as problem:  # the library checks little
            raise self._invalid("does not lead to a cluster: it is no whole kubeconfig", _source(extras)) from problem
        if _set(extras.get("disable_verify_ssl")):
            configuration.verify_ssl = False
        return configuration

    async def _load(self, extras: Mapping[str, Any], context: str | None, configuration: Any) -> None:
        from kubernetes_asyncio import config

        if extras.get("kube_config"):
            loaded = _mapping(extras["kube_config"])
            await config.load_kube_config_from_dict(loaded, context=context, client_configuration=configuration)
        else:
            path = self._files(extras.get("kube_config_path"))
            await config.load_kube_config(path, context=context, client_configuration=configuration)

    def _files(self, path: str | None) -> str | None:
        """The path, which may list several files; the library reads a missing one as an empty one."""
        missing = [name for name in (path or "").split(os.pathsep) if name and not Path(name).expanduser().is_file()]
        if missing:
            raise self._invalid(f"there is no file {missing[0]} on this worker", "kube_config_path")
        return path or None

    def _invalid(self, problem: str, field: str) -> errors.InvalidInput:
        return errors.InvalidInput(
            errors.shorten(problem),
            where=f"connection {self.connection_id}",
            field=field,
            way_out="Correct the extras of this connection under Admin > Connections",
        )


def _set(value: Any) -> bool:
    """Whether an extra is given and on. A connection that is written as a URI has `False` as text."""
    return bool(value) and str(value).strip().lower() not in ("false", "0", "no")


def _source(extras: Mapping[str, Any]) -> str:
    return next((name for name in SOURCES if _set(extras.get(name))), "kube_config_path")


def _mapping(value: Any) -> dict[str, Any]:
    loaded = json.loads(value) if isinstance(value, str) else value
    if not isinstance(loaded, dict):
        raise ValueError("kube_config is no mapping")
    return loaded
