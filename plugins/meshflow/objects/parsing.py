"""What the sources hand on: an object and where it was written."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshflow.objects.reference import Obj, Reference


@dataclass(frozen=True)
class Desired:
    """One object that should be in the cluster.

    `origin` is `file:line` for a manifest, `chart NAME VERSION: TEMPLATE` for a chart: errors point there.
    """

    obj: Obj
    origin: str
    reference: Reference = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", Reference.of(self.obj))
