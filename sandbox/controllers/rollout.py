"""How far a rolling update may go in its next step. Pure: sizes in, sizes out.

The two bounds of a Deployment decide everything: never more than `replicas + surge` pods, never fewer than
`replicas - unavailable` available ones. A step first grows the new ReplicaSet as far as the upper bound lets it, and
only when it cannot grow takes from the old ones what the lower bound can spare: first what is not available anyhow.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

Obj = dict[str, Any]
Sizes = dict[str, int]  # name of a ReplicaSet → replicas it should have; what stays is left out

HASH_LABEL = "pod-template-hash"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
# Without vowels and look-alikes, so that no hash spells a word.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Bounds(NamedTuple):
    surge: int
    unavailable: int


def replicas(obj: Obj) -> int:
    return int(obj["spec"].get("replicas", 1))


def available(replica_set: Obj) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def size(replica_sets: Sequence[Obj]) -> int:
    return sum(map(replicas, replica_sets))


def recreates(deployment: Obj) -> bool:
    return bool((deployment["spec"].get("strategy") or {}).get("type") == "Recreate")


def bounds(deployment: Obj) -> Bounds:
    """Percentages count from the replicas: surge rounded up, unavailable down, and never both 0 (but for Recreate)."""
    if recreates(deployment):
        return Bounds(0, 0)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = _amount(rolling.get("maxSurge", "25%"), replicas(deployment), math.ceil)
    unavailable = _amount(rolling.get("maxUnavailable", "25%"), replicas(deployment), math.floor)
    return Bounds(surge, unavailable or (0 if surge else 1))


def _amount(value: int | str, whole: int, rounded: Any) -> int:
    return int(rounded(whole * int(value[:-1]) / 100)) if isinstance(value, str) else value


def ceiling(deployment: Obj) -> int:
    """The most pods that all ReplicaSets together may have."""
    return replicas(deployment) + bounds(deployment).surge


def floor(deployment: Obj) -> int:
    """The fewest available pods that a rollout may leave."""
    return replicas(deployment) - min(bounds(deployment).unavailable, replicas(deployment))


def new_size(deployment: Obj, new: Obj | None, old: Sequence[Obj]) -> int:
    """The size of the new ReplicaSet after this step."""
    wanted, present = replicas(deployment), replicas(new) if new else 0
    if recreates(deployment) or present >= wanted:
        return wanted
    room = ceiling(deployment) - present - size(old)
    return present + max(0, min(room, wanted - present))


def old_sizes(deployment: Obj, new: Obj, old: Sequence[Obj]) -> Sizes:
    """The sizes that change among the old ReplicaSets (oldest first) in this step."""
    if recreates(deployment):
        return {_name(rs): 0 for rs in old if replicas(rs)}
    unavailable_new = replicas(new) - available(new)
    spare = replicas(new) + size(old) - floor(deployment) - unavailable_new
    if not size(old) or spare <= 0:
        return {}
    changed: Sizes = {}
    for rs in old:
        broken = min(spare, replicas(rs) - available(rs))
        if broken > 0:
            changed[_name(rs)] = replicas(rs) - broken
            spare -= broken
    surplus = available(new) + sum(map(available, old)) - floor(deployment)
    for rs in old:
        present = changed.get(_name(rs), replicas(rs))
        taken = max(0, min(present, surplus))
        if taken:
            changed[_name(rs)] = present - taken
            surplus -= taken
    return changed


def is_scaling(deployment: Obj, replica_sets: Sequence[Obj]) -> bool:
    """The wanted number has changed since the ReplicaSets were last sized."""
    return any(replicas(rs) and _noted(rs, DESIRED) not in (None, replicas(deployment)) for rs in replica_sets)


def scaled_sizes(deployment: Obj, new: Obj | None, old: Sequence[Obj]) -> Sizes:
    """Another number of replicas without another template: one ReplicaSet takes it all, several share it."""
    everything = [*old, *([new] if new else [])]
    living = [rs for rs in everything if replicas(rs)]
    if len(living) <= 1:
        only = living[0] if living else new
        return {_name(only): replicas(deployment)} if only else {}
    if new and replicas(new) == replicas(deployment) == available(new):
        return {_name(rs): 0 for rs in old if replicas(rs)}
    return _shared(deployment, living)


def _shared(deployment: Obj, living: Sequence[Obj]) -> Sizes:
    """Each gets the same share as before; what rounding leaves goes to the largest."""
    allowed = ceiling(deployment) if replicas(deployment) else 0
    ordered = sorted(living, key=lambda rs: (-replicas(rs), rs["metadata"]["creationTimestamp"], _name(rs)))
    before = _noted(ordered[0], MAXIMUM) or size(living)
    sizes = {_name(rs): round(replicas(rs) * allowed / before) for rs in ordered}
    largest = _name(ordered[0])
    sizes[largest] = max(0, sizes[largest] + allowed - sum(sizes.values()))
    return sizes


def _name(replica_set: Obj) -> str:
    return str(replica_set["metadata"]["name"])


def _noted(replica_set: Obj, annotation: str) -> int | None:
    text = (replica_set["metadata"].get("annotations") or {}).get(annotation)
    return int(text) if text is not None else None


def bare(template: Obj) -> Obj:
    """The template without what its ReplicaSet added to it."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, **({"labels": labels} if labels else {})}}


def template_hash(template: Obj) -> str:
    """Ten letters that are the same for the same template."""
    text = json.dumps(bare(template), sort_keys=True, separators=(",", ":"))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    letters = []
    for _ in range(10):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "".join(letters)
