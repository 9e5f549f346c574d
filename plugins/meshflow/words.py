"""Words that mesh.yaml and the rules share, where both can have them: rules do not load what reads settings."""

from __future__ import annotations

from enum import StrEnum


class PushPolicy(StrEnum):
    """What happens to a push that meets a running rollout of the same service."""

    QUEUE = "queue"  # it waits its turn
    SUPERSEDE = "supersede"  # it replaces the running one, unless that is being promoted
    COALESCE = "coalesce"  # only the latest of those that wait is rolled out
    REJECT = "reject"  # it is refused
