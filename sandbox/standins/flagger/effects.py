"""What the state machine can ask of the world: one small class for each thing that Flagger does.

A script (machine.py) yields these one by one; the operator (operator.py) does each, and sends the answer back. An
effect that fails ends the script with a warning event, and the next tick starts again from what the cluster shows.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from sandbox.standins.flagger.spec import Hook, Metric
from sandbox.standins.flagger.status import Phase


class Say(NamedTuple):
    """A Kubernetes event (and a call of the event webhooks); `phase` is what the webhook's payload claims."""

    message: str
    warning: bool = False
    phase: Phase | None = None


class Sync(NamedTuple):
    """Set the whole status, with the target's present hash and configs."""

    phase: Phase
    weight: int = 0
    failed: int = 0
    iterations: int = 0


class Enter(NamedTuple):
    """Change the phase."""

    phase: Phase


class Count(NamedTuple):
    """Set one number of the status: failedChecks, canaryWeight or iterations."""

    field: str
    value: int


class Route(NamedTuple):
    """Write the weights to the VirtualService."""

    primary: int
    canary: int
    mirrored: bool = False


class Scale(NamedTuple):
    """Scale the target: up from zero, or to zero."""

    up: bool


class Promote(NamedTuple):
    """Copy the target's template and configs to the primary."""


class SyncAutoscaler(NamedTuple):
    """Bring the primary's autoscaler up to the target's."""


class Call(NamedTuple):
    """Call a webhook. Answers with None when it passed, else with the reason."""

    hook: Hook
    phase: Phase


class Measure(NamedTuple):
    """Check one metric. Answers with None when it is within bounds, else with the message of the failed check."""

    metric: Metric


class Weigh(NamedTuple):
    """Show the weights in Flagger's own metrics."""

    primary: int
    canary: int


class Finished(NamedTuple):
    """Count an analysis that ended, in Flagger's own metrics."""

    succeeded: bool
    skipped: bool = False


Effect = (
    Say | Sync | Enter | Count | Route | Scale | Promote | SyncAutoscaler | Call | Measure | Weigh | Finished
)  # fmt: skip
Answer = str | None
Script = Generator[Effect, Answer, None]
Asking = Generator[Effect, Answer, bool]  # a part of a script that ends in yes or no
