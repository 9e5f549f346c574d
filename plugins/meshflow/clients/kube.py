"""Async verbs over a cluster: JSON in, JSON out, every error a sentence (clients/statuses.py).

Objects are plain dicts. A kind's URL comes from the table of kinds, or from the cluster's discovery for what the table
does not have; it is never derived from the kind's name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from meshflow.clients import answers, discovery, statuses
from meshflow.clients.answers import Event, Listing, Response
from meshflow.clients.statuses import Expired, Subject
from meshflow.clients.transport import Request, Transport
from meshflow.errors import Forbidden, InvalidInput, NotFound
from meshflow.objects.kinds import Kind, Kinds, builtin_group
from meshflow.objects.reference import Obj, Reference, group_of

__all__ = ["Event", "Expired", "Kube", "Listing", "Response", "kube_from_config"]

_PATCHES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}
_WATCH_GRACE = 15
"""Seconds that a watch may be silent beyond the timeout that the server was asked for."""


class Kube:
    """A cluster. `cluster` is its name in messages and plans; `requests` counts what was sent, by verb.

    The ApiClient belongs to the caller, who closes it.
    """

    def __init__(
        self,
        api_client: Any,
        *,
        cluster: str = "default",
        sleep: Callable[[float], Awaitable[None]] | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        options: dict[str, Any] = {"sleep": sleep, "jitter": jitter}
        self._transport = Transport(api_client, **{name: value for name, value in options.items() if value})
        self.cluster = cluster
        self._table = Kinds.builtin()
        self._served: Kinds | None = None

    @property
    def requests(self) -> Counter[str]:
        """How many requests were sent, repetitions included, by verb."""
        return self._transport.requests

    # Reading

    async def get(self, reference: Reference, *, version: str | None = None) -> Obj | None:
        """The object, or None where it, its namespace or its definition does not exist."""
        try:
            kind = await self.kind_of(reference, version=version)
        except NotFound:
            return None
        subject = self._subject("get", kind, reference.namespace, reference.name)
        request = Request("GET", kind.path(reference.namespace, reference.name), subject)
        answer = await self._transport.send(request, accept=(404,))
        return None if answer.status == 404 else answers.decoded(answer.body)

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        page: int = 500,
    ) -> Listing:
        """All objects of a kind, page by page; NotFound when the cluster does not serve the kind.

        A list that expires between two pages starts again from the first one.
        """
        for _ in range(3):
            try:
                return await self._list(kind, namespace, _selectors(labels, fields), page)
            except Expired:
                continue
        return await self._list(kind, namespace, _selectors(labels, fields), 0)

    async def _list(self, kind: Kind, namespace: str | None, selectors: dict[str, str], page: int) -> Listing:
        items: list[Obj] = []
        token = ""
        subject = self._subject("list", kind, namespace)
        while True:
            params = {**selectors, "limit": str(page) if page else "", "continue": token}
            answer = await self._transport.send(Request("GET", kind.path(namespace), subject, params=_params(params)))
            listing = answers.listed(answer.body)
            for item in listing["items"] or ():
                items.append({"apiVersion": kind.api_version, "kind": kind.kind, **item})
            metadata = listing.get("metadata", {})
            token = metadata.get("continue") or ""
            if not token:
                return Listing(items, metadata.get("resourceVersion", ""))

    async def watch(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        resource_version: str,
        timeout: int = 300,
        labels: str | None = None,
        fields: str | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Events after `resource_version`, bookmarks included, until the server ends the watch after `timeout` s.

        Raises Expired when the version is too old: list again. Raises Unreachable when the connection breaks.
        """
        params = {
            **_selectors(labels, fields),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout),
        }
        subject = self._subject("watch", kind, namespace)
        request = Request("GET", kind.path(namespace), subject, params=_params(params), seconds=timeout + _WATCH_GRACE)
        async with self._transport.stream(request) as lines:
            async for line in lines:
                yield answers.event(line, kind, subject)

    # Writing

    async def apply(
        self, obj: Obj, *, manager: str, force: bool = False, dry_run: bool = False, subresource: str | None = None
    ) -> Obj:
        """Server-side apply; returns the object as it is, or as it would be with `dry_run`.

        Raises Conflict with (manager, path) pairs unless `force`, Rejected for what the schema or admission refuses.
        """
        kind = await self._kind_in(obj)
        namespace, name = obj["metadata"].get("namespace"), obj["metadata"]["name"]
        request = Request(
            "PATCH",
            _sub(kind.path(namespace, name), subresource),
            self._subject("dry-run" if dry_run else "apply", kind, namespace, name),
            params=_params(
                {
                    "fieldManager": manager,
                    "force": "true" if force else "",
                    "dryRun": "All" if dry_run else "",
                    "fieldValidation": "Strict",
                }
            ),
            headers={"Content-Type": "application/apply-patch+yaml"},
            body=obj,
        )
        return answers.decoded((await self._transport.send(request)).body)

    async def create(self, obj: Obj, *, manager: str = "meshflow") -> Obj:
        """POST of one object. Rejected with status 409 when it exists."""
        kind = await self._kind_in(obj)
        namespace = obj["metadata"].get("namespace")
        subject = self._subject("create", kind, namespace, obj["metadata"].get("name"))
        params = _params({"fieldManager": manager, "fieldValidation": "Strict"})
        request = Request("POST", kind.path(namespace), subject, params=params, body=obj, idempotent=False)
        return answers.decoded((await self._transport.send(request)).body)

    async def patch(
        self,
        reference: Reference,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        type: Literal["merge", "json"] = "merge",  # noqa: A002 - the word that kubectl and the API use
        subresource: str | None = None,
        manager: str = "meshflow",
    ) -> Obj:
        """A merge or JSON patch. NotFound when the object does not exist."""
        kind = await self.kind_of(reference)
        request = Request(
            "PATCH",
            _sub(kind.path(reference.namespace, reference.name), subresource),
            self._subject("patch", kind, reference.namespace, reference.name),
            params=_params({"fieldManager": manager, "fieldValidation": "Strict"}),
            headers={"Content-Type": _PATCHES[type]},
            body=patch,
            idempotent=type == "merge",
        )
        return answers.decoded((await self._transport.send(request)).body)

    async def delete(self, reference: Reference, *, uid: str | None = None, propagation: str = "Background") -> bool:
        """Ask for the deletion; False when there was nothing to delete.

        With `uid`, only that very object is deleted: Rejected with status 409 when another one has its name now.
        """
        try:
            kind = await self.kind_of(reference)
        except NotFound:
            return False
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        request = Request(
            "DELETE",
            kind.path(reference.namespace, reference.name),
            self._subject("delete", kind, reference.namespace, reference.name),
            body=options,
        )
        return (await self._transport.send(request, accept=(404,))).status != 404

    # The cluster itself

    async def kinds(self) -> Kinds:
        """All kinds: the table, and what the cluster serves. Asked once, until `forget_kinds`."""
        if self._served is None:
            self._served = Kinds(await discovery.kinds(self._transport, self._subject))
            for kind in self._served:
                self._table.add(kind)
        return self._table

    async def another_version(self, reference: Reference, *, version: str | None = None) -> str | None:
        """One in which the cluster serves a custom kind, where it does not serve the one we would use; else None."""
        if builtin_group(reference.group):
            return None
        known = self._table.find(reference.group, reference.kind, version=version)
        try:
            await self.kinds()
        except (Forbidden, NotFound):
            return None  # an account that may not even ask what there is, or an API without discovery
        served = self._served or Kinds()
        wanted = version or (known.version if known else None)
        other = served.find(reference.group, reference.kind)
        if other is None or wanted is None or served.find(reference.group, reference.kind, version=wanted):
            return None
        return other.version

    def forget_kinds(self) -> None:
        """Ask the cluster again next time; call it when definitions were applied."""
        self._served = None

    def learn(self, definition: Obj) -> None:
        """Know the kind of a CustomResourceDefinition without asking the cluster."""
        self._table.learn(definition)

    async def kind_of(self, reference: Reference, *, version: str | None = None) -> Kind:
        """The kind of a reference; NotFound when neither the table nor the cluster has it."""
        found = self._table.find(reference.group, reference.kind, version=version)
        found = found or (await self.kinds()).find(reference.group, reference.kind, version=version)
        if found is None:
            group = f"{reference.group}/{version}" if version else reference.group
            raise NotFound(
                f"{self.cluster}: no kind {reference.kind} in {group or 'the core group'}; is its CRD installed?"
            )
        return found

    async def proxy(
        self,
        namespace: str,
        service: str,
        port: int | str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        method: str = "GET",
        scheme: str = "http",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """A request to a service inside the cluster, through the API server.

        What the service answers comes back whatever its status; what the API server itself refuses (no such service, no
        ready endpoint, no permission for `services/proxy`) is raised.
        """
        prefix = "https:" if scheme == "https" else ""
        target = quote(f"{prefix}{service}:{port}", safe=":")
        subject = Subject("proxy", "services/proxy", namespace, f"{service}:{port}", self.cluster, self._transport.host)
        kinds_of_body = {name.lower(): value for name, value in (headers or {}).items()}
        payload: Any = body
        if body is not None and "json" in kinds_of_body.get("content-type", "application/json"):
            payload = json.loads(body)
        request = Request(
            method,
            f"/api/v1/namespaces/{quote(namespace, safe='')}/services/{target}/proxy/{quote(path.lstrip('/'))}",
            subject,
            params=tuple((params or {}).items()),
            headers=dict(headers or {}),
            body=payload,
            idempotent=method in ("GET", "HEAD"),
        )
        answer = await self._transport.send(request, accept=tuple(range(300, 600)))
        if answer.status >= 400 and statuses.is_status(answer.body):
            raise statuses.error_of(answer.status, answer.body, subject, retry_after=answer.retry_after)
        return Response(answer.status, answer.headers, answer.body)

    async def version(self) -> str:
        """The server's version, such as `v1.36.0`. The cheapest way to see that it answers."""
        subject = Subject("get", "version", None, None, self.cluster, self._transport.host)
        answer = await self._transport.send(Request("GET", "/version", subject))
        return str(answers.decoded(answer.body).get("gitVersion", "unknown"))

    async def _kind_in(self, obj: Obj) -> Kind:
        version = obj["apiVersion"].rpartition("/")[2]
        return await self.kind_of(Reference(group_of(obj["apiVersion"]), obj["kind"], None, ""), version=version)

    def _subject(self, verb: str, kind: Kind, namespace: str | None = None, name: str | None = None) -> Subject:
        return Subject(verb, kind.resource, namespace, name, self.cluster, self._transport.host)


@asynccontextmanager
async def kube_from_config(
    config_file: str | Path | None = None, context: str | None = None, *, cluster: str = "default"
) -> AsyncIterator[Kube]:
    """A `Kube` from a kubeconfig file (default: as kubectl finds it), closed on exit. InvalidInput when unusable."""
    from kubernetes_asyncio import config  # takes most of a second

    where = str(config_file or "kubeconfig")
    try:
        api_client = await config.new_client_from_config(str(config_file) if config_file else None, context)
    except config.ConfigException as error:
        raise InvalidInput(
            str(error), where=where, way_out="Point to a kubeconfig that has this context, with server and user"
        ) from error
    try:
        yield Kube(api_client, cluster=cluster)
    finally:
        await api_client.close()


def _selectors(labels: str | None, fields: str | None) -> dict[str, str]:
    return {"labelSelector": labels or "", "fieldSelector": fields or ""}


def _params(params: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The parameters that have a value."""
    return tuple((name, value) for name, value in params.items() if value)


def _sub(path: str, subresource: str | None) -> str:
    return f"{path}/{subresource}" if subresource else path
