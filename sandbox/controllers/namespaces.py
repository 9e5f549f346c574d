"""Namespaces: what each one starts with, and what ends with it."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError
from sandbox.controllers import conditions
from sandbox.controllers.base import Controller, Key, Watched

if TYPE_CHECKING:
    from sandbox.api.server import Server

log = logging.getLogger(__name__)

Obj = dict[str, Any]

ROOT_CERTIFICATE = "kube-root-ca.crt"
SERVICE_ACCOUNT = "default"
FIRST_LOOK, LAST_LOOK = 0.05, 2.0  # seconds between two looks at what is left; doubled while something is


def keys_of(name: str) -> Any:
    """The namespace of an object of this name needs a look."""

    def keys(obj: Obj) -> list[Key]:
        metadata = obj["metadata"]
        return [Key(None, metadata["namespace"])] if metadata["name"] == name else []

    return keys


class Namespaces(Controller):
    watches = (
        Watched("v1", "Namespace"),
        Watched("v1", "ServiceAccount", keys_of(SERVICE_ACCOUNT)),
        Watched("v1", "ConfigMap", keys_of(ROOT_CERTIFICATE)),
    )

    def __init__(self, *args: Any, server: Server, certificate: str) -> None:
        super().__init__(*args)
        self.server = server
        self.certificate = certificate
        self._looks: Counter[str] = Counter()

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        found = await self.client.get("v1", "Namespace", name)
        if found is None:
            self._looks.pop(name, None)
            return None
        if found["metadata"].get("deletionTimestamp"):
            return await self._empty(found)
        await self._furnish(name)
        return None

    async def _furnish(self, name: str) -> None:
        for kind, thing, content in (
            ("ServiceAccount", SERVICE_ACCOUNT, {}),
            ("ConfigMap", ROOT_CERTIFICATE, {"data": {"ca.crt": self.certificate}}),
        ):
            if await self.client.get("v1", kind, thing, name) is None:
                metadata = {"name": thing, "namespace": name}
                await self.client.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})

    async def _empty(self, namespace: Obj) -> float | None:
        """Delete everything in it; when nothing is left, let it go."""
        name = namespace["metadata"]["name"]
        for obj in self._content(name):
            if not obj["metadata"].get("deletionTimestamp"):
                await self._delete(obj)
        left = self._content(name)
        if left:
            await self._say_what_is_left(namespace, left)
            self._looks[name] += 1
            return float(min(LAST_LOOK, FIRST_LOOK * 2 ** (self._looks[name] - 1)))
        latest = await self.client.get("v1", "Namespace", name)
        if latest is not None:
            kept = [f for f in latest["spec"].get("finalizers") or () if f != "kubernetes"]
            await self.client.update({**latest, "spec": {**latest["spec"], "finalizers": kept}}, subresource="finalize")
        return None

    async def _delete(self, obj: Obj) -> None:
        """What cannot be deleted now (a webhook may refuse it) must not keep the rest."""
        metadata = obj["metadata"]
        where = (obj["apiVersion"], obj["kind"], metadata["name"], metadata["namespace"])
        try:
            await self.client.delete(*where, propagation="Background")
        except ApiError as error:
            log.debug("namespace %s: %s stays for now: %s", metadata["namespace"], metadata["name"], error)

    def _content(self, name: str) -> list[Obj]:
        found = [r for r in self.server.catalog.stored() if r.namespaced]
        return [record.obj for r in found for record in self.server.store.list(r.storage, name)]

    async def _say_what_is_left(self, namespace: Obj, left: list[Obj]) -> None:
        """Conditions for whoever wonders why the namespace stays; written once it has been looked at a few times."""
        name, status = namespace["metadata"]["name"], namespace.get("status") or {}
        holding = Counter(f for obj in left for f in obj["metadata"].get("finalizers") or ())
        if self._looks[name] < 4 or not holding:
            return
        kinds = Counter(obj["kind"] for obj in left)
        resources = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
        finalizers = ", ".join(f"{f} in {count} resource instances" for f, count in sorted(holding.items()))
        now, found = self.clock.timestamp(), status.get("conditions") or []
        for kind, reason, message in (
            ("NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {resources}"),
            ("NamespaceFinalizersRemaining", "SomeFinalizersRemain", f"Some content has finalizers: {finalizers}"),
        ):
            found = conditions.put(found, kind, "True", now=now, reason=reason, message=message)
        if found != status.get("conditions"):
            await self.client.update({**namespace, "status": {**status, "conditions": found}}, subresource="status")
