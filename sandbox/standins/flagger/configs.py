"""ConfigMaps and Secrets that a pod template reads: found, hashed, and renamed for the primary.

The target keeps its own names; the primary reads copies with the suffix `-primary`, made at promotion, so that a
changed ConfigMap reaches the primary only after an analysis. An object opts out with the annotation
`flagger.app/config-tracking: disabled`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from sandbox.standins.flagger import hashing

Obj = dict[str, Any]

OPT_OUT = "flagger.app/config-tracking"
_SECRET_TYPES = frozenset({"Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"})
# where a reference stands: in which part, kind, and the field that holds the name
_VOLUMES = (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"))
_SOURCES = (("configMap", "ConfigMap", "name"), ("secret", "Secret", "name"))
_ENV = (("configMapKeyRef", "ConfigMap", "name"), ("secretKeyRef", "Secret", "name"))
_ENV_FROM = (("configMapRef", "ConfigMap", "name"), ("secretRef", "Secret", "name"))


class Config(NamedTuple):
    """A ConfigMap or Secret by name; `optional` when its absence is no error."""

    kind: str
    name: str
    optional: bool = False

    @property
    def key(self) -> str:
        """As status.trackedConfigs names it."""
        return f"{self.kind.lower()}/{self.name}"


class _Place(NamedTuple):
    """One reference inside a pod spec: the map that holds the name, and under which field."""

    kind: str
    holder: Obj
    field: str


def referenced(pod_spec: Obj) -> list[Config]:
    """The configs that the pod spec reads, each once."""
    found = {}
    for place in _places(pod_spec):
        config = Config(place.kind, place.holder[place.field], bool(place.holder.get("optional")))
        found[config.key] = config
    return list(found.values())


def tracked(obj: Obj) -> bool:
    """Whether a change of this ConfigMap or Secret counts as a new revision."""
    disabled = (obj["metadata"].get("annotations") or {}).get(OPT_OUT, "").startswith("disable")
    return not disabled and (obj.get("kind") != "Secret" or obj.get("type", "Opaque") in _SECRET_TYPES)


def checksum(obj: Obj) -> str:
    return hashing.checksum(obj.get("data"))


def renamed(pod_spec: Obj, keys: set[str]) -> Obj:
    """The pod spec with `-primary` appended to the names of the configs in `keys`."""
    spec = copy.deepcopy(pod_spec)
    for place in _places(spec):
        if Config(place.kind, place.holder[place.field]).key in keys:
            place.holder[place.field] += "-primary"
    return spec


def twin(obj: Obj, *, owner: Obj) -> Obj:
    """The primary's copy of a ConfigMap or Secret, without its binaryData."""
    metadata = {
        "name": f"{obj['metadata']['name']}-primary",
        "namespace": obj["metadata"]["namespace"],
        "ownerReferences": [owner],
    }
    made = {"apiVersion": "v1", "kind": obj["kind"], "metadata": metadata, "data": obj.get("data") or {}}
    return {**made, "type": obj["type"]} if "type" in obj else made


def _places(pod_spec: Obj) -> Iterator[_Place]:
    for volume in pod_spec.get("volumes") or ():
        yield from _in(volume, _VOLUMES)
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _in(source, _SOURCES)
    for container in [*(pod_spec.get("containers") or ()), *(pod_spec.get("initContainers") or ())]:
        for variable in container.get("env") or ():
            yield from _in(variable.get("valueFrom") or {}, _ENV)
        for source in container.get("envFrom") or ():
            yield from _in(source, _ENV_FROM)


def _in(part: Obj, rows: tuple[tuple[str, str, str], ...]) -> Iterator[_Place]:
    for field, kind, name in rows:
        holder = part.get(field)
        if holder and holder.get(name):
            yield _Place(kind, holder, name)
