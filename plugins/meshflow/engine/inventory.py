"""Which objects belong to a set: a ConfigMap per set, so that what leaves the sources can be found and pruned.

The inventory is widened before the first write and narrowed after the last deletion, so at every moment it names
everything that may exist because of the set: a crash in between leaves nothing behind that nobody knows of. One run per
set at a time is the caller's business (`max_active_runs=1`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshflow.clients.kube import Kube
from meshflow.errors import NotFound
from meshflow.objects.kinds import Kind
from meshflow.objects.reference import Obj, Reference

NAMESPACE = "meshflow-system"
LABEL = "meshflow.io/inventory"
_KEY = "objects"
_CONFIG_MAPS = Kind("", "v1", "ConfigMap", "configmaps", True)


class Inventory(NamedTuple):
    """The objects of one set; `exists` is False when it was never written."""

    set_name: str
    references: frozenset[Reference]
    exists: bool


async def read_all(kube: Kube) -> dict[str, Inventory]:
    """The inventories of all sets by name, in one request."""
    listing = await kube.list(_CONFIG_MAPS, namespace=NAMESPACE, labels=LABEL)
    found = {}
    for item in listing.items:
        name = item["metadata"]["labels"][LABEL]
        found[name] = Inventory(name, _parsed((item.get("data") or {}).get(_KEY, "")), True)
    return found


async def read(kube: Kube, set_name: str) -> Inventory:
    """The inventory of one set; empty where there is none."""
    obj = await kube.get(_reference(set_name))
    if obj is None:
        return Inventory(set_name, frozenset(), False)
    return Inventory(set_name, _parsed((obj.get("data") or {}).get(_KEY, "")), True)


async def write(kube: Kube, present: Inventory, references: Iterable[Reference], *, manager: str) -> bool:
    """Make the inventory, read as `present`, name exactly these objects; False, and no write, when it does already."""
    wanted = frozenset(references)
    if present.references == wanted and (present.exists or not wanted):
        return False
    obj = _config_map(present.set_name, wanted)
    try:
        await kube.apply(obj, manager=manager, force=True)
    except NotFound:  # only the namespace can be missing
        await kube.apply(_namespace(), manager=manager)
        await kube.apply(obj, manager=manager, force=True)
    return True


def line(reference: Reference) -> str:
    """`Deployment.apps weather/frontend`: what a person reads in the ConfigMap. `_parsed_line` is its inverse."""
    kind = f"{reference.kind}.{reference.group}" if reference.group else reference.kind
    return f"{kind} {reference.namespace}/{reference.name}" if reference.namespace else f"{kind} {reference.name}"


def _parsed(text: str) -> frozenset[Reference]:
    return frozenset(_parsed_line(written) for written in text.splitlines() if written.strip())


def _parsed_line(written: str) -> Reference:
    kind_and_group, _, place = written.partition(" ")
    kind, _, group = kind_and_group.partition(".")
    namespace, _, name = place.rpartition("/")
    return Reference(group, kind, namespace or None, name)


def _reference(set_name: str) -> Reference:
    return Reference("", "ConfigMap", NAMESPACE, f"meshflow-inventory-{set_name}")


def _config_map(set_name: str, references: Iterable[Reference]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": _reference(set_name).name,
            "namespace": NAMESPACE,
            "labels": {LABEL: set_name, "app.kubernetes.io/managed-by": "meshflow"},
        },
        "data": {_KEY: "".join(f"{written}\n" for written in sorted(map(line, references)))},
    }


def _namespace() -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "meshflow"}},
    }
