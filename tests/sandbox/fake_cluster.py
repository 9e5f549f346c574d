"""An API server in a dict, for tests of stand-ins: no validation, no defaulting, Deployments that roll out at once."""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sandbox.api.errors import ApiError
from sandbox.clock import Clock

Obj = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name


class FakeClient:
    """The verbs of sandbox.client.Client that stand-ins use."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.objects: dict[Key, Obj] = {}
        self.stuck: set[str] = set()  # Deployments whose new pods never get ready
        self._version = 0

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Obj | None:
        return copy.deepcopy(self.objects.get((kind, namespace or "", name)))

    async def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        return [copy.deepcopy(o) for k, o in self.objects.items() if k[0] == kind and namespace in (None, k[1])]

    async def create(self, obj: Obj) -> Obj:
        key = self._key(obj)
        if key in self.objects:
            raise ApiError(409, "AlreadyExists", f"{key} exists")
        made = copy.deepcopy(obj)
        made["metadata"] |= {"uid": f"uid-{key[2]}", "generation": 1}
        return self._store(key, made)

    async def update(self, obj: Obj, *, subresource: str | None = None) -> Obj:
        key = self._key(obj)
        live = self.objects.get(key)
        if live is None:
            raise ApiError(404, "NotFound", f"{key} not found")
        made = copy.deepcopy(obj)
        if subresource == "status":
            made = {**copy.deepcopy(live), "status": made["status"]}
        elif made.get("spec") != live.get("spec"):
            made["metadata"]["generation"] = live["metadata"]["generation"] + 1
        return self._store(key, made)

    async def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        patch: Any,
        *,
        type: str = "merge",  # noqa: A002 - the word of the API
        subresource: str | None = None,
    ) -> Obj:
        live = self.objects.get((kind, namespace or "", name))
        if live is None:
            raise ApiError(404, "NotFound", f"{kind} {name} not found")
        return await self.update(_merged(live, patch))

    async def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> None:
        self.objects.pop((kind, namespace or "", name), None)

    async def watch(self, api_version: str, kind: str, namespace: str | None = None) -> AsyncIterator[tuple[str, Obj]]:
        for obj in await self.list(api_version, kind, namespace):
            yield "ADDED", obj

    def _key(self, obj: Obj) -> Key:
        return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def _store(self, key: Key, obj: Obj) -> Obj:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        if key[0] == "Deployment":
            obj["status"] = self._rolled_out(obj, self.objects.get(key))
        self.objects[key] = obj
        return copy.deepcopy(obj)

    def _rolled_out(self, deployment: Obj, before: Obj | None) -> Obj:
        wanted = deployment["spec"].get("replicas", 1)
        ready = 0 if deployment["metadata"]["name"] in self.stuck else wanted
        old = ((before or {}).get("status") or {}).get("conditions") or [{}]
        since = self.clock.timestamp()
        if ready < wanted and old[-1].get("status") == "False":
            since = old[-1]["lastUpdateTime"]
        available = {
            "type": "Available",
            "status": str(ready >= wanted),
            "reason": "MinimumReplicasAvailable" if ready >= wanted else "MinimumReplicasUnavailable",
            "lastUpdateTime": since,
        }
        return {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": wanted,
            "updatedReplicas": wanted,
            "availableReplicas": ready,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}, available],
        }


def _merged(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(live, dict):
        return copy.deepcopy(patch)
    made = copy.deepcopy(live)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made
