"""The logins that mesh.yaml names under `logins`, out of their Airflow connections.

Any type of connection will do, for none but login and password are read; `generic` needs no provider. Where a
connection names a host, its login is for that host only: who may write mesh.yaml cannot send it elsewhere.
"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from meshflow.clients.web import Login, Logins
from meshflow.errors import InvalidInput
from meshflow.settings import Mesh


def of(mesh: Mesh) -> Logins:
    """The login for a host, asked for when it is needed; None for a host that mesh.yaml names no connection for.

    Raises InvalidInput for a connection that is not there, has no login and password, or is for another host.
    """

    @cache
    def find(host: str) -> Login | None:
        connection_id = mesh.logins.get(host)
        return _login(connection_id, host, where=mesh.where("logins", host)) if connection_id else None

    return find


def _login(connection_id: str, host: str, *, where: str) -> Login:
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException as problem:
        raise InvalidInput(
            "does not exist",
            where=f"connection {connection_id}",
            way_out=f"Make a connection of type generic with this id, a login and a password under Admin > "
            f"Connections: {where} names it for {host}",
        ) from problem
    if not (connection.login and connection.password):
        raise InvalidInput(
            f"has no {'password' if connection.login else 'login'}",
            where=f"connection {connection_id}",
            way_out=f"Fill in both under Admin > Connections: {where} names it for {host}",
        )
    if connection.host and _bare(connection.host) not in (host, host.partition(":")[0]):
        raise InvalidInput(
            f"is for the host {_bare(connection.host)}, not for {host}",
            where=f"connection {connection_id}",
            way_out=f"Name another connection at {where}, or correct the host under Admin > Connections",
        )
    return Login(connection.login, connection.password, connection_id)


def _bare(host: str) -> str:
    """`example.com` for `https://example.com/path`, as some write it."""
    return urlsplit(host if "//" in host else f"//{host}").hostname or host
