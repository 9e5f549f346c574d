"""Does a live object seem to differ from what we declare? No is certain; yes is a suspicion for a dry-run to settle.

We own what we applied. As long as we own a field, nobody else has written it: an Update by another manager would have
taken it away from us. So an object is as declared when we own each declared field, its value is the same, and we own
nothing that is declared no longer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from meshflow.objects import quantities
from meshflow.objects.kinds import builtin_group
from meshflow.objects.reference import Obj, group_of
from meshflow.plan import paths
from meshflow.plan.ownership import Fields, is_set, list_keys
from meshflow.plan.paths import Keyed, Path, Valued

_QUANTITY_MAPS = frozenset(("limits", "requests", "capacity", "hard", "default", "defaultRequest", "max", "min"))
_QUANTITY_FIELDS = frozenset(("sizeLimit", "averageValue"))
_DEFAULTS: dict[str, dict[str, Any]] = {
    "rules": {"scope": "*"},  # of admission webhooks
    "ports": {"protocol": "TCP"},  # of network policies
    "fieldRef": {"apiVersion": "v1"},
    "serviceAccountToken": {"expirationSeconds": 3600},
}
"""Defaults that the server fills in inside atomic values of built-in kinds, by the field that holds them."""

_IDENTITY = frozenset(("apiVersion", "kind"))
_NAMES = frozenset(("name", "namespace"))


def suspicion(declared: Obj, live: Obj, owned: Fields) -> str | None:
    """Why the object seems to differ, with the first such field; None when it is certainly as declared.

    `declared` is prepared (plan/prepare.py), `owned` is what our Apply entry holds.
    """
    trimmed = {name: value for name, value in declared.items() if name not in _IDENTITY}
    metadata = {name: value for name, value in declared.get("metadata", {}).items() if name not in _NAMES}
    trimmed.pop("metadata", None)
    if metadata:
        trimmed["metadata"] = metadata
    return _Comparison(builtin_group(group_of(declared["apiVersion"]))).in_map(trimmed, live, owned, ())


class _Comparison(NamedTuple):
    """The walk down both objects and the tree of what we own; custom resources are stored as they were applied."""

    builtin: bool

    def _value(self, declared: Any, live: Any, owned: Fields, path: Path) -> str | None:
        if isinstance(declared, dict) and owned:
            return self.in_map(declared, live, owned, path)
        if isinstance(declared, list) and owned:
            return self._list(declared, live, owned, path)
        if owned:
            return _says("has another type than what we applied", path)
        return None if self._same(declared, live, path) else _says("differs", path)

    def in_map(self, declared: dict[str, Any], live: Any, owned: Fields, path: Path) -> str | None:
        if not isinstance(live, dict):
            return _says("is missing", path)
        for name, value in declared.items():
            if name not in owned:
                return _says("is not ours yet, or no longer", (*path, name))
            found = self._value(value, live.get(name), owned[name], (*path, name))
            if found:
                return found
        return _dropped(declared, owned, path)

    def _list(self, declared: list[Any], live: Any, owned: Fields, path: Path) -> str | None:
        if not isinstance(live, list):
            return _says("is missing", path)
        names = list_keys(owned)
        if names is None and not is_set(owned):
            return None if self._same(declared, live, path) else _says("differs", path)
        seen: list[paths.Step] = []
        for item in declared:
            step = _step(item, names, owned)
            if step is None:
                return _says("has an item that is not ours yet, or no longer", path)
            if step in seen:
                return _says("is declared twice", (*path, step))
            found = paths.find(live, step)
            if found is None:
                return _says("is missing", (*path, step))
            differs = self._value(item, found, owned[step], (*path, step)) if isinstance(item, dict) else None
            if differs:
                return differs
            seen.append(step)
        if any(step not in seen for step in owned):
            return _says("has an item that is declared no longer", path)
        return None if _in_order(seen, live) else _says("is in another order", path)

    def _same(self, declared: Any, live: Any, path: Path) -> bool:
        if isinstance(declared, dict) and isinstance(live, dict):
            return all(
                self._same_item(declared, live, name, path)
                for name in {**live, **declared}  # all names, in order
            )
        if isinstance(declared, list) and isinstance(live, list):
            return len(declared) == len(live) and all(
                self._same(one, other, (*path, index))
                for index, (one, other) in enumerate(zip(declared, live, strict=True))
            )
        if isinstance(declared, bool) or isinstance(live, bool):
            return declared is live or (declared is False and live is None)
        if declared == live or (live is None and declared in ("", 0, [], {})):
            return True
        return self._is_quantity(path) and quantities.same(declared, live)

    def _is_quantity(self, path: Path) -> bool:
        """Whether the server reads the field as an amount. In a ConfigMap's `max` it reads text: `1` is not `1.0`."""
        if not self.builtin or path[:1] != ("spec",):
            return False
        return path[-1] in _QUANTITY_FIELDS or path[-2] in _QUANTITY_MAPS

    def _same_item(self, declared: dict[str, Any], live: dict[str, Any], name: str, path: Path) -> bool:
        """One field inside an atomic value, where defaults hide from managedFields.

        One that the server does not have is a suspicion, however empty: it leaves out some empty values and keeps
        others, and `namespaceSelector: {}` or `tolerationSeconds: 0` mean much.
        """
        if name not in declared:
            holder = next((step for step in reversed(path) if isinstance(step, str)), "")
            return self.builtin and _DEFAULTS.get(holder, {}).get(name) == live[name]
        return name in live and self._same(declared[name], live[name], (*path, name))


def _step(item: Any, names: tuple[str, ...] | None, owned: Fields) -> Keyed | Valued | None:
    """How the owned tree names an item; None when it does not, or not for certain."""
    step: Keyed | Valued
    if names is None:
        step = Valued(item)
    elif isinstance(item, dict) and all(name in item for name in names):
        step = Keyed(tuple((name, item[name]) for name in names))
    else:
        return _defaulted(item, owned)
    return step if step in owned else None


def _defaulted(item: Any, owned: Fields) -> Keyed | None:
    """The only owned item that agrees with all keys that are there: a port without its protocol."""
    agreeing = [
        step
        for step in owned
        if isinstance(step, Keyed)
        and isinstance(item, dict)
        and all(item[name] == value for name, value in step.keys if name in item)
    ]
    return agreeing[0] if len(agreeing) == 1 else None


def _in_order(steps: list[paths.Step], live: list[Any]) -> bool:
    positions = [paths.position_of(live, step) for step in steps]
    return positions == sorted(position for position in positions if position is not None)


def _dropped(declared: dict[str, Any], owned: Fields, path: Path) -> str | None:
    for step in owned:
        if isinstance(step, str) and step not in declared:
            return _says("is ours but declared no longer", (*path, step))
    return None


def _says(what: str, path: Path) -> str:
    return f"{paths.text(path) or 'the object'} {what}"
