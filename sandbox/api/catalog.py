"""Which resources are served right now: the built-in table plus what definitions add.

The catalog also keeps, for each resource, the compiled schema (`node`) and the rules of its kind (`strategy`).
"""

from collections.abc import Iterable, Iterator

from sandbox.api.resources import BUILTIN, Resource
from sandbox.builtin import strategies
from sandbox.builtin.strategy import Strategy
from sandbox.schema import builtin, crd
from sandbox.schema.node import Node


class Catalog:
    """All served resources, looked up by path or by kind."""

    def __init__(self, rows: Iterable[Resource] = BUILTIN) -> None:
        self._rows: dict[tuple[str, str, str], Resource] = {}
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._nodes: dict[Resource, Node | None] = {}
        self._strategies: dict[Resource, Strategy] = {}
        self.changes = 0  # rises with each change, so that discovery documents can be cached
        for row in rows:
            self._add(row)
        self.builtin_groups = frozenset(row.group for row in rows)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource of a path, or None."""
        return self._rows.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of an object, or None."""
        return self._kinds.get((api_version, kind))

    def stored_kind(self, group: str, kind: str) -> Resource | None:
        """Return a served resource of the kind, whatever its version, or None."""
        return next((row for row in self._rows.values() if row.group == group and row.kind == kind), None)

    def rows(self) -> Iterator[Resource]:
        """Yield every served resource: groups in the order of their appearance, newest version first."""
        yield from self._rows.values()

    def versions(self, group: str) -> list[str]:
        """Return the served versions of a group, the preferred one first; [] for an unknown group."""
        return list(dict.fromkeys(row.version for row in self._rows.values() if row.group == group))

    def stored(self) -> list[Resource]:
        """Return one resource per storage (the first served version), reviews left out."""
        found: dict[tuple[str, str], Resource] = {}
        for row in self._rows.values():
            if "list" in row.verbs and row.storage[0] == row.group:
                found.setdefault(row.storage, row)
        return list(found.values())

    def replace(self, storage: tuple[str, str], rows: Iterable[Resource]) -> None:
        """Serve exactly `rows` for a custom resource; none removes it."""
        for key in [key for key, row in self._rows.items() if row.storage == storage]:
            gone = self._rows.pop(key)
            self._kinds.pop((gone.api_version, gone.kind), None)
            self._nodes.pop(gone, None)
            self._strategies.pop(gone, None)
        for row in rows:
            self._add(row)
        self.changes += 1

    def node(self, resource: Resource) -> Node | None:
        """Return the compiled schema, made at first use; None for kinds without one."""
        if resource not in self._nodes:
            self._nodes[resource] = _compile(resource)
        return self._nodes[resource]

    def strategy(self, resource: Resource) -> Strategy:
        """Return the rules of the kind."""
        if resource not in self._strategies:
            made = strategies.custom(has_status="status" in resource.subresources)
            self._strategies[resource] = made if resource.custom else strategies.of(resource.group, resource.kind)
        return self._strategies[resource]

    def _add(self, row: Resource) -> None:
        self._rows[row.group, row.version, row.plural] = row
        self._kinds[row.api_version, row.kind] = row


def _compile(resource: Resource) -> Node | None:
    if resource.custom_schema is not None:
        return crd.compile(resource.custom_schema, group=resource.group, version=resource.version, kind=resource.kind)
    return builtin.of(resource.group, resource.version, resource.kind)
