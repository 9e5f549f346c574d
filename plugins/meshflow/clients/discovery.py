"""What kinds a cluster serves, in two requests (aggregated discovery, Kubernetes 1.30 and later)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from meshflow.clients import answers
from meshflow.clients.statuses import Subject
from meshflow.clients.transport import Request, Transport
from meshflow.objects.kinds import Kind

_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_DISCOVERY = Kind("", "v1", "APIGroupDiscoveryList", "apis", False)


async def kinds(transport: Transport, subject: Callable[[str, Kind], Subject]) -> list[Kind]:
    """Every kind of every served version; the preferred version of a group comes first, as the server orders them."""
    found: list[Kind] = []
    for path in ("/api", "/apis"):
        request = Request("GET", path, subject("discover", _DISCOVERY), headers={"Accept": _ACCEPT})
        answer = await transport.send(request)
        for group in answers.decoded(answer.body).get("items") or ():
            found += _of_group(group)
    return found


def _of_group(group: dict[str, Any]) -> Iterator[Kind]:
    name = group.get("metadata", {}).get("name", "")
    for version in group.get("versions", ()):
        for resource in version.get("resources") or ():
            response_kind = resource.get("responseKind") or {}
            if response_kind.get("kind"):
                yield Kind(
                    response_kind.get("group") or name,
                    response_kind.get("version") or version["version"],
                    response_kind["kind"],
                    resource["resource"],
                    resource.get("scope") == "Namespaced",
                )
